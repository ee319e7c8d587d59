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
        "--rate N/s",
        "--burst",
        "--rate-key",
        "--trusted-proxy",
        "--client-header",
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
async fn wrong_flags_about_rates_exit_2_and_are_named() {
    let fine = ["--listen=127.0.0.1:0", "--upstream=http://127.0.0.1:9"];
    let rate = "--rate=100/s";
    for (flags, named) in [
        (&["--rate=100"][..], "--rate: \"100\" is wrong: expected a number"),
        (&["--rate=/s"], "--rate: \"/s\""),
        (&["--rate=+1/s"], "--rate: \"+1/s\""),
        (&["--rate=1.5/s"], "--rate: \"1.5/s\""),
        (&["--rate=100/second"], "N/s, N/m, N/h or N/d"),
        (&["--rate=0/s"], "an amount of one or more"),
        (&["--rate=281474976710656/s"], "more than 16384 units"),
        (&["--rate=99999999999999999999/s"], "--rate: "),
        (&[rate, "--rate=1/m"], "--rate is given twice"),
        (&[rate, "--burst=0"], "--burst: a quota must have a burst of one or more"),
        (&[rate, "--burst=many"], "--burst: \"many\""),
        (&["--rate=1/d", "--burst=999999"], "--burst: a burst of a quota must come back"),
        (&["--burst=20"], "--burst needs --rate"),
        (&["--rate-key=peer"], "--rate-key needs --rate"),
        (&["--trusted-proxy=10.0.0.0/8"], "--trusted-proxy needs --rate"),
        (&["--client-header=Forwarded"], "--client-header needs --rate"),
        (&[rate, "--rate-key=ip"], "expected peer, sub or header:NAME"),
        (&[rate, "--rate-key=header:"], "--rate-key: \"header:\""),
        (&[rate, "--rate-key=header:a b"], "--rate-key: \"header:a b\""),
        (&[rate, "--rate-key=sub"], "--rate-key sub needs --jwt-keys or --jwks-url"),
        (&[rate, "--client-header=Forwarded"], "--client-header needs --trusted-proxy"),
        (
            &[rate, "--rate-key=header:x", "--trusted-proxy=::1"],
            "--trusted-proxy needs --rate-key peer",
        ),
        (&[rate, "--trusted-proxy=::1", "--client-header=a b"], "--client-header: \"a b\""),
        (&[rate, "--trusted-proxy=here"], "--trusted-proxy: \"here\""),
        (&[rate, "--trusted-proxy=10.0.0.0/33"], "--trusted-proxy: \"10.0.0.0/33\""),
        (&[rate, "--trusted-proxy=10.0.0.0/"], "--trusted-proxy: \"10.0.0.0/\""),
        (&[rate, "--trusted-proxy=10.1.2.3/8"], "the network is 10.0.0.0/8"),
        (&[rate, "--trusted-proxy=fd00::1/8"], "the network is fd00::/8"),
        (&[rate, "--trusted-proxy=::1", "--trusted-proxy=10/8"], "--trusted-proxy: \"10/8\""),
    ] {
        let output = run(&[&fine[..], flags].concat()).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.contains(named), "{flags:?}: {text}");
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
