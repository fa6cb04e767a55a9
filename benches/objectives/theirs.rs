//! ClustPy in a process of its own, asked for training steps.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{CLUSTERS, ROWS, Rate};

/// A running `theirs.py`.
pub struct Clustpy {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Clustpy {
    /// Starts `python`; nothing if it is empty or has no ClustPy.
    pub fn start(python: &str, widths: &str) -> Option<Self> {
        if python.is_empty() {
            eprintln!("ClustPy is left out: name a Python that has it with --python PATH");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/objectives/theirs.py");
        let mut command = Command::new(python);
        command.arg(script).args([widths, &ROWS.to_string(), &CLUSTERS.to_string()]);
        command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE").env("OMP_NUM_THREADS", "1");
        let mut process = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            Ok(process) => process,
            Err(error) => {
                eprintln!("ClustPy is left out: {python}: {error}");
                return None;
            }
        };
        let (questions, answers) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
        let mut clustpy = Self { process, questions, answers };
        // Its first steps load what later ones have.
        if clustpy.ask("autoencoder", 3).is_none() {
            eprintln!("ClustPy is left out: {python} cannot run it, as it says above");
            return None;
        }
        Some(clustpy)
    }

    /// So many steps of what `theirs.py` calls `name`.
    pub fn run(&mut self, name: &str, steps: usize) -> Rate {
        self.ask(name, steps).unwrap_or_else(|| panic!("ClustPy broke down at {name}"))
    }

    fn ask(&mut self, name: &str, steps: usize) -> Option<Rate> {
        writeln!(self.questions, "{name} {steps}").ok()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        let (wall, cpu) = line.trim().split_once(' ')?;
        Some(Rate::of(steps, wall.parse().ok()?, cpu.parse().ok()?))
    }
}

impl Drop for Clustpy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
