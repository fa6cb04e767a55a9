//! Programs from Maven, kept in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

/// Tests of one process take turns: the second finds what the first has made. Processes keep apart by their numbers.
static MAVEN: Mutex<()> = Mutex::new(());

/// The target folder; Cargo makes `tmp` in it for integration tests.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-services")
}

/// A folder for the data of one service of this process.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    // Left over from an earlier process of the same number.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes a folder of the cache with Maven unless it is there. It appears complete or not at all.
fn provide(name: &str, goal: &[String]) -> PathBuf {
    let done = cache().join(name);
    let _turn = MAVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if done.is_dir() {
        return done;
    }
    let part = cache().join(format!("{name}.{}", std::process::id()));
    fs::create_dir_all(&part).unwrap();
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kafka/pom.xml");
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(pom).args(goal).arg(format!("-DoutputDirectory={}", part.display()));
    let output = maven.stdin(Stdio::null()).output().unwrap_or_else(|error| missing("mvn", &error.to_string()));
    if !output.status.success() {
        let _ = fs::remove_dir_all(&part);
        missing("mvn", &String::from_utf8_lossy(&output.stdout));
    }
    if fs::rename(&part, &done).is_err() {
        // Someone else was faster.
        let _ = fs::remove_dir_all(&part);
    }
    assert!(done.is_dir(), "{} cannot be made", done.display());
    done
}

/// What to do when there is no broker to be had.
pub fn missing(program: &str, problem: &str) -> ! {
    panic!(
        "no Kafka for the tests: `{program}` failed: {problem}\nEither name a broker with EVENKEEL_TEST_KAFKA=host:port (and a \
         schema registry with EVENKEEL_TEST_REGISTRY=url), or start Docker, or install Java 17 and Maven: \
         apt-get install openjdk-17-jre-headless maven"
    );
}

/// The class path of the broker and its tools.
pub fn kafka() -> String {
    let libs = provide("kafka-4.3.0", &["dependency:copy-dependencies".into(), "-DincludeScope=runtime".into()]);
    format!("{}/*", libs.display())
}

/// The unpacked schema registry.
pub fn apicurio() -> PathBuf {
    let artifact = "-Dartifact=io.apicurio:apicurio-registry-app:2.6.13.Final:zip:all";
    provide("apicurio-2.6.13", &["dependency:unpack".into(), artifact.into()])
}

/// Runs one of Kafka's own command-line tools by its class, such as `org.apache.kafka.tools.TopicCommand`.
pub fn tool(class: &str, arguments: &[&str]) -> Output {
    let mut java = Command::new("java");
    java.args(["-cp", &kafka(), class]).args(arguments).stdin(Stdio::null());
    java.output().unwrap_or_else(|error| missing("java", &error.to_string()))
}
