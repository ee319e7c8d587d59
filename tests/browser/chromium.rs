//! Chromium without a window, with a profile of its own that is empty at first.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::oneshot::{self, Receiver};

pub(crate) struct Chromium {
    child: Child,
    profile: PathBuf,
    /// What it wrote on standard error, when all of its processes are gone.
    gone: Receiver<String>,
}

impl Chromium {
    pub(crate) fn open(url: &str) -> Self {
        let profile =
            std::env::temp_dir().join(format!("tower-keep-browser-{}", std::process::id()));
        std::fs::create_dir(&profile).unwrap();
        let spawned = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            let _ = std::fs::remove_dir_all(&profile);
            match error.kind() {
                ErrorKind::NotFound => {
                    panic!("this test needs Chromium: there is no `chromium` in PATH")
                }
                _ => panic!("chromium cannot be started: {error}"),
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let (sender, gone) = oneshot::channel();
        // Its children have the same standard error, which ends with the last of them.
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        });
        Self { child, profile, gone }
    }

    /// Waits for it to end by itself, and gives back what it wrote.
    pub(crate) async fn ended(&mut self) -> String {
        (&mut self.gone).await.unwrap_or_default()
    }

    /// Ends it, and waits until nobody writes to its profile any more.
    pub(crate) async fn close(mut self) {
        self.kill();
        if !self.gone.is_terminated() {
            let _ = tokio::time::timeout(Duration::from_secs(5), self.ended()).await;
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

const FLAGS: [&str; 9] = [
    "--headless",
    // It runs as root on a bare machine, and sees nothing but the test's own page.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Containers have little of it.
    "--disable-dev-shm-usage",
];
