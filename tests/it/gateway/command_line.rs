use super::program::run;
use super::purging::SecretFile;

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
        "--tag-header",
        "--etag",
        "--admin",
        "--admin-secret-file",
        "--jwt-keys",
        "--jwks-url",
        "--issuer",
        "--audience",
        "--typ",
        "--require-scope",
        "--partition-by",
        "POST /purge",
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
        (
            [&fine[..], &["--tag-header", "surrogate key"]].concat(),
            "--tag-header: \"surrogate key\"",
        ),
        ([&fine[..], &["--admin-secret-file=x"]].concat(), "--admin-secret-file needs --admin"),
        ([&fine[..], &["--mode=rfc", "--mode", "safe"]].concat(), "--mode is given twice"),
        ([&fine[..], &["--etag=x"]].concat(), "--etag takes no value"),
        ([&fine[..], &["--etag="]].concat(), "--etag takes no value"),
        ([&fine[..], &["--etag", "x"]].concat(), "\"x\" is not expected"),
        ([&fine[..], &["--etag", "--etag"]].concat(), "--etag is given twice"),
        // What stands behind a switch is read as if the switch were not there.
        ([&fine[..], &["--etag", "--mode", "fast"]].concat(), "--mode: \"fast\""),
        ([&fine[..], &["--mode", "--etag"]].concat(), "--mode needs a value"),
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

#[tokio::test]
async fn c52_a_secret_that_cannot_be_used_exits_1_and_is_not_shown() {
    for (content, named) in [
        ("", "shorter than 16"),
        ("fifteen-bytes-0", "shorter than 16"),
        ("fifteen-bytes-0\n", "shorter than 16"),
        ("two-lines-of-text-0\ntwo", "other than visible ASCII"),
        ("two-line-ends-of-0\n\n", "other than visible ASCII"),
        ("with a space in it, 0", "other than visible ASCII"),
        ("with-ümlauts-in-it-0", "other than visible ASCII"),
        (&"0".repeat(4097), "longer than 4096"),
        (&"0".repeat(70_000), "longer than 4096"),
    ] {
        let file = SecretFile::of(content);
        let output = run(&start_with(file.path())).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{content:?}: {text}");
        assert!(text.contains("--admin-secret-file") && text.contains(named), "{text}");
        assert!(text.contains(file.path()), "{text}");
        assert!(content.is_empty() || !text.contains(content.trim_end()), "{text}");
        assert!(output.stdout.is_empty(), "{content:?}");
    }
    for path in ["/", "no/such/file"] {
        let output = run(&start_with(path)).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("--admin-secret-file: {path}: ")), "{text}");
    }
}

fn start_with(secret_file: &str) -> [&str; 5] {
    let (listen, admin) = ("--listen=127.0.0.1:0", "--admin=127.0.0.1:0");
    [listen, admin, "--upstream=http://127.0.0.1:9", "--admin-secret-file", secret_file]
}
