//! One node in KRaft mode, on this machine only.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::artefacts::{kafka, missing, scratch};
use super::janitor::Janitor;

/// A broker is up in 4 to 7 seconds; on a busy machine it takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is different about a broker.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lines of `server.properties` that come last and so win.
    pub properties: Vec<String>,
    /// Arguments of the storage formatter, such as `--add-scram`.
    pub format: Vec<String>,
}

/// A broker.
pub struct Broker {
    bootstrap: String,
    running: Option<Running>,
}

enum Running {
    Maven(Node),
    /// Name of the container.
    Docker(String),
}

/// A Java process with its folder.
struct Node {
    folder: PathBuf,
    process: Mutex<Option<Child>>,
    janitor: Janitor,
}

/// The broker that all tests of this test binary share.
pub fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("EVENKEEL_TEST_KAFKA") {
        Ok(bootstrap) if !bootstrap.is_empty() => Broker { bootstrap, running: None },
        _ => Broker::start(),
    })
}

impl Broker {
    /// A fresh broker of one's own.
    pub fn start() -> Self {
        let port = free_port();
        let name = format!("evenkeel-test-{}-{port}", std::process::id());
        if start_container(&name, port) {
            return Self { bootstrap: format!("127.0.0.1:{port}"), running: Some(Running::Docker(name)) };
        }
        Self::with(&|_| Options::default(), port)
    }

    /// A fresh broker from Maven artefacts that differs from others; `options` is given a folder for keys and the like.
    pub fn start_with(options: impl Fn(&Path) -> Options) -> Self {
        Self::with(&options, free_port())
    }

    fn with(options: &dyn Fn(&Path) -> Options, port: u16) -> Self {
        let folder = scratch(&format!("kafka-{port}"));
        let janitor = Janitor::hire(&folder);
        let options = options(&folder);
        let controller = free_port();
        fs::write(folder.join("server.properties"), properties(&folder, port, controller, &options)).unwrap();
        let node = Node { folder, process: Mutex::new(None), janitor };
        node.format(&options);
        node.start();
        Self { bootstrap: format!("127.0.0.1:{port}"), running: Some(Running::Maven(node)) }
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// SIGKILL: a crash. The folder stays.
    pub fn kill(&self) {
        match self.own() {
            Running::Maven(node) => node.kill(),
            Running::Docker(name) => docker(&["kill", name]),
        }
    }

    /// Starts again on the same folder and port.
    pub fn restart(&self) {
        match self.own() {
            Running::Maven(node) => node.start(),
            Running::Docker(name) => {
                docker(&["start", name]);
                await_port(&self.bootstrap);
            }
        }
    }

    fn own(&self) -> &Running {
        self.running.as_ref().expect("only a broker of one's own can be stopped: use Broker::start")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        match &self.running {
            Some(Running::Maven(node)) => node.kill(),
            Some(Running::Docker(name)) => docker(&["rm", "-f", name]),
            None => {}
        }
    }
}

impl Node {
    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", &kafka()]).stdin(Stdio::null());
        java
    }

    fn format(&self, options: &Options) {
        let id = "ZXZlbmtlZWwtdGVzdHMtMQ";
        let mut java = self.java();
        java.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", id, "-c"]);
        java.arg(self.folder.join("server.properties")).args(&options.format);
        let output = java.output().unwrap_or_else(|error| missing("java", &error.to_string()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn start(&self) {
        let log = self.folder.join("broker.log");
        let mut java = self.java();
        java.arg("kafka.Kafka").arg(self.folder.join("server.properties"));
        let said = File::create(&log).unwrap();
        java.stdout(said.try_clone().unwrap()).stderr(said);
        let mut child = java.spawn().unwrap_or_else(|error| missing("java", &error.to_string()));
        self.janitor.watch(Some(child.id()));
        let start = Instant::now();
        let said = || fs::read_to_string(&log).unwrap_or_default();
        while !said().contains("Kafka Server started") {
            let ended = child.try_wait().unwrap();
            if ended.is_some() || start.elapsed() > PATIENCE {
                let said = said();
                let last: Vec<&str> = said.lines().rev().take(20).collect();
                let _ = child.kill();
                panic!("the broker does not start ({ended:?}):\n{}", last.join("\n"));
            }
            sleep(Duration::from_millis(50));
        }
        *self.process.lock().unwrap() = Some(child);
    }

    fn kill(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.janitor.watch(None);
    }
}

fn properties(folder: &Path, port: u16, controller: u16, options: &Options) -> String {
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={}\n",
        folder.join("data").display()
    );
    for (name, value) in SMALL {
        writeln!(text, "{name}={value}").unwrap();
    }
    for line in &options.properties {
        writeln!(
            text,
            "{}",
            line.replace("{port}", &port.to_string()).replace("{controller}", &controller.to_string())
        )
        .unwrap();
    }
    text
}

/// One node, and nothing that waits for more.
const SMALL: [(&str, &str); 11] = [
    // A misspelt topic is an error.
    ("auto.create.topics.enable", "false"),
    ("num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("log.retention.hours", "-1"),
];

/// A port that nobody listens on, and that the system does not hand out by itself for a while.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a container if an engine answers.
fn start_container(name: &str, port: u16) -> bool {
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !quiet(Command::new("docker").arg("info")).is_ok_and(|status| status.success()) {
        return false;
    }
    let mut run = Command::new("docker");
    run.args(["run", "-d", "--name", name, "-p", &format!("127.0.0.1:{port}:9092")]);
    let listeners = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", "1@localhost:9093".to_owned()),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093".to_owned()),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
    ];
    let small = SMALL.map(|(key, value)| (key, value.to_owned()));
    for (key, value) in listeners.into_iter().chain(small) {
        run.arg("-e").arg(format!("KAFKA_{}={value}", key.replace('.', "_").to_uppercase()));
    }
    run.arg("apache/kafka:4.3.0");
    assert!(quiet(&mut run).is_ok_and(|status| status.success()), "docker run apache/kafka:4.3.0 failed");
    await_port(&format!("127.0.0.1:{port}"));
    true
}

fn docker(arguments: &[&str]) {
    let status = Command::new("docker").args(arguments).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "docker {arguments:?} failed");
}

/// Waits until someone listens.
pub fn await_port(address: &str) {
    let address: SocketAddr = address.parse().unwrap();
    let start = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        assert!(start.elapsed() < PATIENCE, "nobody listens on {address}");
        sleep(Duration::from_millis(50));
    }
}
