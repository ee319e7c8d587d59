//! The built example, started and ended.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::wire::{self, Reply};

pub(super) struct Gateway {
    pub(super) public: SocketAddr,
    admin: SocketAddr,
    child: Child,
    /// Held open: the program may write to it.
    _stdout: Lines<BufReader<ChildStdout>>,
    log: UnboundedReceiver<String>,
}

impl Gateway {
    pub(super) async fn before(upstream: SocketAddr) -> Self {
        Self::with(upstream, &[]).await
    }

    pub(super) async fn with(upstream: impl Display, flags: &[&str]) -> Self {
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--admin=127.0.0.1:0"])
            .arg(format!("--upstream=http://{upstream}"))
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = drained(child.stderr.take().unwrap());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let public = address(&mut lines, "listening on http://").await;
        let admin = address(&mut lines, "admin on http://").await;
        Self { public, admin, child, _stdout: lines, log }
    }

    /// A GET of this path, on a connection of its own.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.get_with(path, "").await
    }

    /// The same with more field lines, each with its line end.
    pub(super) async fn get_with(&self, path: &str, fields: &str) -> Reply {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{fields}\r\n");
        wire::send(self.public, &request).await
    }

    pub(super) async fn admin(&self, method: &str, path: &str) -> Reply {
        self.admin_with(method, path, "").await
    }

    /// The same with more field lines, each with its line end.
    pub(super) async fn admin_with(&self, method: &str, path: &str, fields: &str) -> Reply {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n{fields}\r\n");
        wire::send(self.admin, &request).await
    }

    /// The next line of the log about a purge.
    pub(super) async fn audited(&mut self) -> String {
        loop {
            let line = soon(self.log.recv()).await.expect("the program runs");
            if line.contains("gateway::audit") {
                return line;
            }
        }
    }

    /// Ends the program, and gives back what it has complained of.
    pub(super) async fn log_to_its_end(mut self) -> String {
        self.child.kill().await.unwrap();
        let mut log = String::new();
        while let Some(line) = soon(self.log.recv()).await {
            log.push_str(&line);
            log.push('\n');
        }
        log
    }

    pub(super) async fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.admin("GET", "/stats").await.body).unwrap()
    }

    #[cfg(unix)]
    pub(super) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap();
        let kill = format!("kill -{name} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(sent.unwrap().success());
    }

    pub(super) async fn exit_code(&mut self) -> Option<i32> {
        soon(self.child.wait()).await.unwrap().code()
    }
}

/// Runs it to its end: for command lines with which it does not start.
pub(super) async fn run(args: &[&str]) -> Output {
    let child = command().args(args).kill_on_drop(true).stdin(Stdio::null()).output();
    soon(child).await.unwrap()
}

/// What takes longer has hung.
pub(super) async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), event)
        .await
        .expect("it should not take that long")
}

/// Cargo builds the examples along with the tests, beside the folder of the test's own program.
fn command() -> Command {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/gateway");
    assert!(
        path.with_extension(std::env::consts::EXE_EXTENSION).exists(),
        "{} is not built: `cargo test` does it, `cargo test --test it` does not",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_remove("RUST_LOG");
    command
}

/// Read at once, so that the program never waits for it.
fn drained(stderr: ChildStderr) -> UnboundedReceiver<String> {
    let (sender, log) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = sender.send(line);
        }
    });
    log
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> SocketAddr {
    let line = soon(lines.next_line()).await.unwrap().expect("a line with the address");
    line.strip_prefix(prefix).unwrap().parse().unwrap()
}
