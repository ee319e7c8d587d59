use super::program::run;

#[tokio::test]
async fn help_prints_every_flag_and_exits_0() {
    let output = run(&["--help"]).await;
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--listen",
        "--upstream",
        "--store",
        "--mode",
        "--entry-bytes-max",
        "--upstream-timeout",
        "--admin",
    ] {
        assert!(text.contains(flag), "{flag}");
    }
}

#[tokio::test]
async fn wrong_flags_exit_2_and_are_named() {
    let fine = ["--listen=127.0.0.1:0", "--upstream=http://127.0.0.1:9"];
    for (args, named) in [
        (vec!["--upstream=http://127.0.0.1:9"], "--listen is required"),
        (vec!["--listen=127.0.0.1:0"], "--upstream is required"),
        (vec!["--listen", "--upstream", "http://h"], "--listen needs a value"),
        (vec!["--listen=8080", "--upstream=http://h"], "--listen: \"8080\""),
        (vec!["--listen=127.0.0.1:0", "--upstream=h:80"], "--upstream: \"h:80\""),
        (vec!["--listen=127.0.0.1:0", "--upstream=https://h"], "no TLS"),
        (vec!["--listen=127.0.0.1:0", "--upstream=http://h/?q"], "--upstream: "),
        ([&fine[..], &["--store=disk:1GiB"]].concat(), "--store: \"disk:1GiB\""),
        ([&fine[..], &["--store=memory:64MB"]].concat(), "--store: \"memory:64MB\""),
        ([&fine[..], &["--store=memory:0"]].concat(), "--store: \"memory:0\""),
        ([&fine[..], &["--mode", "fast"]].concat(), "--mode: \"fast\""),
        ([&fine[..], &["--entry-bytes-max=-1"]].concat(), "--entry-bytes-max: \"-1\""),
        (
            [&fine[..], &["--entry-bytes-max=99999999999GiB"]].concat(),
            "--entry-bytes-max: \"99999999999GiB\"",
        ),
        ([&fine[..], &["--upstream-timeout", "30"]].concat(), "--upstream-timeout: \"30\""),
        ([&fine[..], &["--upstream-timeout", "0s"]].concat(), "--upstream-timeout: \"0s\""),
        ([&fine[..], &["--admin=here"]].concat(), "--admin: \"here\""),
        ([&fine[..], &["--mode=rfc", "--mode", "safe"]].concat(), "--mode is given twice"),
        ([&fine[..], &["--verbose"]].concat(), "--verbose is no flag"),
        ([&fine[..], &["extra"]].concat(), "\"extra\" is not expected"),
    ] {
        let output = run(&args).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(named), "{args:?}: {text}");
        assert!(text.contains("--help"), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn a_port_in_use_exits_1_and_is_named() {
    let (_held, address) = super::origin::bind().await;
    let address = address.to_string();
    for flag in ["--listen", "--admin"] {
        let mut args = vec!["--upstream=http://127.0.0.1:9", flag, &address];
        if flag == "--admin" {
            args.push("--listen=127.0.0.1:0");
        }
        let output = run(&args).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(flag) && text.contains(&address), "{text}");
    }
}
