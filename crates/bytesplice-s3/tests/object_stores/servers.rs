//! Real servers on the loopback, each with a folder and ports of its own, stopped by its process when dropped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytesplice_s3::{Client, Credentials, ObjectName, Profile, Retry, Settings};
use tempfile::TempDir;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SeaweedFs,
    S3sFs,
}

pub struct Server {
    pub kind: Kind,
    pub port: u16,
    child: Child,
    _folder: TempDir,
}

const BUCKET: &str = "bucket";

impl Server {
    pub fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = match kind {
            Kind::SeaweedFs => seaweedfs(folder.path(), port),
            Kind::S3sFs => s3s_fs(folder.path(), port),
        };
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child =
            command.spawn().expect("the server cannot be run: `./test object-stores` installs it");
        let mut server = Self { kind, port, child, _folder: folder };
        server.wait_until_ready();
        server
    }

    /// The object over this port: the server's own, or that of a proxy before it.
    pub fn client(&self, key: &str, port: u16) -> Client {
        client(key, &settings(port))
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended: {status}: {}", self.log());
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.has_bucket() {
                return;
            }
            assert!(Instant::now() < deadline, "the server does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes the bucket, and puts something into it: a server may listen before it can store.
    fn has_bucket(&self) -> bool {
        let endpoint = format!("http://127.0.0.1:{}", self.port).parse().unwrap();
        let style = rusty_s3::UrlStyle::Path;
        let bucket = rusty_s3::Bucket::new(endpoint, style, BUCKET, "us-east-1").unwrap();
        let credentials = rusty_s3::Credentials::new("key", "secret");
        let url = |action: &dyn Fn() -> url::Url| action().to_string();
        let time = Duration::from_secs(60);
        let create = url(&|| rusty_s3::S3Action::sign(&bucket.create_bucket(&credentials), time));
        // It may be there already.
        let _ = ureq::put(create).send_empty();
        let put = url(&|| {
            rusty_s3::S3Action::sign(&bucket.put_object(Some(&credentials), "ready"), time)
        });
        ureq::put(put).send("ready").is_ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self._folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn client(key: &str, settings: &Settings) -> Client {
    Client::new(ObjectName::new(BUCKET, key).unwrap(), settings).unwrap()
}

pub fn settings(port: u16) -> Settings {
    Settings {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        retry: Retry {
            attempts: 4,
            first_wait: Duration::from_millis(5),
            longest_wait: Duration::from_millis(50),
        },
        timeout: Duration::from_secs(30),
        store: Some(Profile::COMPATIBLE),
        ..Settings::new(Credentials::new("key", "secret"))
    }
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/object-stores/bin")
}

/// Strict as Amazon's: If-Match on copies and completion, and short parts are refused.
fn seaweedfs(folder: &Path, port: u16) -> Command {
    let config = folder.join("identities.json");
    let identity = r#"{"identities": [{"name": "test", "actions": ["Admin"],
        "credentials": [{"accessKey": "key", "secretKey": "secret"}]}]}"#;
    std::fs::write(&config, identity).unwrap();
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let mut command = Command::new(programs().join("weed"));
    command.arg("server");
    for name in ["master", "volume", "filer"] {
        command.arg(format!("-{name}.port={}", free_port()));
        command.arg(format!("-{name}.port.grpc={}", free_port()));
    }
    command
        .args([
            "-s3",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-volume.max=100",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ])
        .arg("-master.volumeSizeLimitMB=256")
        .arg(format!("-s3.port={port}"))
        .arg(format!("-s3.port.grpc={}", free_port()))
        .arg(format!("-s3.config={}", config.display()))
        .arg(format!("-dir={}", data.display()))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

fn s3s_fs(folder: &Path, port: u16) -> Command {
    let data = folder.join("data");
    std::fs::create_dir_all(data.join(BUCKET)).unwrap();
    let mut command = Command::new(programs().join("s3s-fs"));
    command
        .args(["--host", "127.0.0.1", "--access-key", "key", "--secret-key", "secret"])
        .arg("--port")
        .arg(port.to_string())
        .arg(data)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// A port that nobody listens on just now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
