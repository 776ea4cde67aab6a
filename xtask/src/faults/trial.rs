//! One case: a commit with a fault in it, what the command says of it, the recovery, and what must
//! be there then.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::call::{Call, CallKind};
use super::case::{Case, Then};
use super::check::{Leftovers, check_ending, phase_name};
use super::fault::Injection;
use super::scenario::{Scenario, Work};
use super::statement::{Statement, error_of, recovery_of, strategy_of};
use super::tracer::{Ending, Scene, Trace, trace, traced_command};
use crate::file_system::FileSystem;
use crate::workload::{self, difference};

/// What a refused abort says.
const PAST: &str = "has passed its commit point";

/// The exit code of a program that panicked.
pub const PANICKED: i32 = 101;

/// What trials need beside their case.
pub struct Bench<'a> {
    /// The program under test.
    pub program: &'a Path,
    /// What the program says on standard error goes here.
    pub log: &'a Mutex<File>,
    /// A directory of this worker for what the program prints.
    pub scratch: PathBuf,
}

/// A scenario on a file system, with its bytes and the calls of an undisturbed commit.
pub struct Stage {
    pub scenario: &'static Scenario,
    pub place: FileSystem,
    /// Where the file system is mounted.
    pub mount: PathBuf,
    pub work: Arc<Work>,
    pub calls: Vec<Call>,
}

impl Stage {
    /// A case of this stage.
    pub fn case(&self, commit: Injection, then: Then) -> Case {
        Case { scenario: self.scenario, place: self.place, commit: Some(commit), then }
    }
}

/// What a trial found.
#[derive(Default)]
pub struct Verdict {
    /// The call that the fault in the commit hit; none if it hit none.
    pub hit: Option<Call>,
    /// The call that the fault in the recovery hit; none if there was none or it hit none.
    pub hit_in_recovery: Option<Call>,
    /// Where the commit stood after the fault, and what it said.
    pub seen: Vec<&'static str>,
    /// Whether there was a recovery.
    pub recovered: bool,
    /// Whether an abort was refused, so that the recovery must bring the new contents.
    pub past_commit_point: bool,
    /// Whether the first recovery or abort that succeeded left the new contents; later ones must
    /// not change that.
    pub settled: Option<bool>,
    /// Whether the file was neither old nor new at the end.
    pub mixture: bool,
    /// What is wrong: the kind of the problem, and its figures.
    pub wrong: Vec<(&'static str, String)>,
}

/// What a run of the program left behind and said.
pub struct Run {
    pub ending: Ending,
    pub output: String,
    pub errors: String,
}

impl Bench<'_> {
    /// Runs the commit of a stage undisturbed, and gives its calls.
    ///
    /// # Errors
    /// The commit fails or does not do what the scenario says.
    pub fn rehearse(&self, stage: &Stage) -> Result<Vec<Call>, String> {
        let case = Case {
            scenario: stage.scenario,
            place: stage.place,
            commit: None,
            then: Then::Nothing,
        };
        let trial = Trial::begin(self, &case, stage)?;
        let (run, trace) = trial.commit(None)?;
        let mut verdict = Verdict::default();
        trial.judge(&run, &trace, &mut verdict)?;
        let undisturbed = || format!("{case} without any fault");
        if run.ending != Ending::Exited(0) {
            return Err(format!("{}: {:?}: {}", undisturbed(), run.ending, run.errors));
        }
        if let Some((kind, detail)) = verdict.wrong.first() {
            return Err(format!("{}: {kind}: {detail}", undisturbed()));
        }
        let strategy = strategy_of(&run.output).unwrap_or_default();
        if ![strategy.as_str(), "auto"].contains(&stage.scenario.strategy) {
            return Err(format!("{} goes by `{strategy}`", undisturbed()));
        }
        let makes = |name: &&&str| trace.calls.iter().any(|call| call.name == **name);
        if let Some(missing) = stage.scenario.makes.iter().find(|name| !makes(name)) {
            return Err(format!("{} makes no {missing}", undisturbed()));
        }
        let numbered = trace.calls.iter().enumerate();
        let calls: Vec<String> = numbered.map(|(at, call)| format!("  {at} {call}")).collect();
        trial.log(&format!("the calls of an undisturbed commit:\n{}", calls.join("\n")));
        Ok(trace.calls)
    }

    /// Tries a case.
    ///
    /// # Errors
    /// It cannot be tried.
    pub fn attempt(&self, case: &Case, stage: &Stage) -> Result<Verdict, String> {
        let trial = Trial::begin(self, case, stage)?;
        let (run, trace) = trial.commit(case.commit)?;
        let mut verdict = Verdict { hit: trace.hit.clone(), ..Verdict::default() };
        if trace.hit.is_some() {
            trial.judge(&run, &trace, &mut verdict)?;
        }
        Ok(verdict)
    }
}

/// A case with its files.
pub struct Trial<'a> {
    bench: &'a Bench<'a>,
    pub case: &'a Case,
    pub stage: &'a Stage,
    pub directory: tempfile::TempDir,
    pub target: PathBuf,
    pub inputs: PathBuf,
}

impl<'a> Trial<'a> {
    fn begin(bench: &'a Bench<'a>, case: &'a Case, stage: &'a Stage) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot make the files of {case}: {error}");
        let directory = tempfile::tempdir_in(&stage.mount).map_err(failed)?;
        let inputs = directory.path().join("inputs");
        fs::create_dir(&inputs).map_err(failed)?;
        fs::write(inputs.join("input"), &stage.work.input).map_err(failed)?;
        let target = directory.path().join(&stage.work.name);
        workload::write_file(&target, &stage.work.old).map_err(failed)?;
        Ok(Self { bench, case, stage, directory, target, inputs })
    }

    fn scene(&self) -> Scene<'_> {
        Scene { directory: self.directory.path(), target: &self.target, inputs: &self.inputs }
    }

    /// The commit, with its fault.
    fn commit(&self, injection: Option<Injection>) -> Result<(Run, Trace), String> {
        let work = &self.stage.work;
        let mut command = traced_command(self.bench.program);
        command.args(work.command(&self.target, &self.inputs.join("input"))).args([
            "--strategy",
            self.stage.scenario.strategy,
            "--json",
        ]);
        self.trace(command, injection)
    }

    fn trace(
        &self,
        mut command: Command,
        injection: Option<Injection>,
    ) -> Result<(Run, Trace), String> {
        let [output, errors] = ["output", "errors"].map(|name| self.bench.scratch.join(name));
        let create = |path: &Path| File::create(path).map_err(|error| error.to_string());
        command.stdin(Stdio::null()).stdout(create(&output)?).stderr(create(&errors)?);
        let trace = trace(command, self.scene(), injection)?;
        let read = |path: &Path| {
            let bytes = fs::read(path).map_err(|error| error.to_string())?;
            Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let run = Run { ending: trace.ending, output: read(&output)?, errors: read(&errors)? };
        self.log(&run.errors);
        Ok((run, trace))
    }

    /// Runs the program untraced.
    pub fn run(&self, words: &[&str], path: &Path) -> Result<Run, String> {
        let mut command = Command::new(self.bench.program);
        command.args(&words[..1]).arg(path).args(&words[1..]);
        let output = command.output().map_err(|error| error.to_string())?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        self.log(&errors);
        let ending = match output.status.code() {
            Some(code) => Ending::Exited(code),
            None => Ending::Killed,
        };
        Ok(Run { ending, output: String::from_utf8_lossy(&output.stdout).into_owned(), errors })
    }

    /// Errors of a disk that is made to fail are expected, and not shown on the screen.
    fn log(&self, errors: &str) {
        if errors.is_empty() {
            return;
        }
        let mut log = self.bench.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The log is for people who look for the cause of a wrong result; the counts do not depend
        // on it.
        let _ = writeln!(log, "{}: {}", self.case, errors.trim_end());
    }

    /// Holds what the commit left and said against what is promised.
    fn judge(&self, run: &Run, trace: &Trace, verdict: &mut Verdict) -> Result<(), String> {
        let safe = self.stage.scenario.is_crash_safe();
        check_ending("the commit", run, verdict);
        let statement = match run.ending {
            Ending::Killed => {
                verdict.seen.push(phase_name(workload::phase(&self.target)));
                Statement::Nothing
            }
            Ending::Exited(0) => Statement::Done,
            // It had no time to say anything.
            Ending::Exited(PANICKED) => Statement::Nothing,
            Ending::Exited(code) => match error_of(&run.output) {
                Some((message, said)) if said == i64::from(code) => Statement::of(&message),
                _ => {
                    let detail = format!("exit code {code}: {}", run.output.trim_end());
                    verdict.wrong.push(("no JSON object tells of the error", detail));
                    Statement::of(&run.errors)
                }
            },
            Ending::Signal(_) => Statement::Nothing,
        };
        verdict.seen.push(statement.name());
        let repairs = match statement {
            Statement::Done => {
                self.must_be_new("the commit succeeded", verdict);
                self.must_be_tidy("the commit succeeded", Leftovers::of_commit(trace), verdict)?;
                self.check_beside("the commit succeeded", verdict)?;
                false
            }
            Statement::Unchanged => {
                let why = "the error says that the file is unchanged";
                self.must_be_old(why, run, verdict);
                // Nothing, but what cannot be removed. A journal must not be left in silence.
                let removal_failed = trace.failed.iter().any(|call| call.kind == CallKind::Remove);
                let left = match removal_failed {
                    true => Leftovers::of_commit(trace),
                    false => Leftovers::default(),
                };
                self.must_be_tidy(why, left, verdict)?;
                removal_failed
            }
            Statement::Committed => {
                let why = "the error says that the file holds the new contents";
                self.must_be_new(why, verdict);
                self.check_beside(why, verdict)?;
                true
            }
            Statement::Damaged => {
                if safe {
                    verdict.wrong.push(("a crash-safe commit says `damaged`", run.errors.clone()));
                }
                self.must_be_damaged(run, trace, verdict)?;
                true
            }
            Statement::Recoverable => {
                self.must_have_journal(run, trace, verdict)?;
                true
            }
            Statement::Nothing => true,
        };
        if repairs {
            self.recover(statement, verdict)?;
        }
        Ok(())
    }

    /// Recovers, with the fault of the recovery first if there is one, and checks what is there
    /// then.
    fn recover(&self, statement: Statement, verdict: &mut Verdict) -> Result<(), String> {
        verdict.recovered = true;
        if self.case.then == Then::Abort {
            self.abort(verdict)?;
        }
        if let Then::Recover(injection) = self.case.then {
            let mut command = traced_command(self.bench.program);
            command.arg("recover").arg(&self.target).arg("--json");
            let (run, trace) = self.trace(command, Some(injection))?;
            check_ending("the recovery with a fault", &run, verdict);
            if run.ending == Ending::Exited(0) {
                let left = Leftovers::of_recovery(&trace);
                self.check_recovered("the recovery with a fault", &run, statement, left, verdict)?;
            }
            verdict.hit_in_recovery = trace.hit;
        }
        let run = self.run(&["recover", "--json"], &self.target)?;
        check_ending("the recovery", &run, verdict);
        if run.ending == Ending::Exited(0) {
            self.check_recovered("the recovery", &run, statement, Leftovers::ASKED, verdict)?;
        } else {
            let detail = format!("{:?}: {}", run.ending, run.errors.trim_end());
            verdict.wrong.push(("the recovery fails", detail));
        }
        Ok(())
    }

    /// Takes the commit back. Past the commit point it is refused, and the commit goes on to the
    /// new contents, unless the snapshot of a commit brings the old ones.
    fn abort(&self, verdict: &mut Verdict) -> Result<(), String> {
        let run = self.run(&["abort", "--json"], &self.target)?;
        check_ending("the abort", &run, verdict);
        if run.ending == Ending::Exited(0) {
            self.check_recovered("abort", &run, Statement::Nothing, Leftovers::ASKED, verdict)?;
            verdict.seen.push("aborted");
        } else if error_of(&run.output).is_some_and(|(message, _)| message.contains(PAST)) {
            verdict.seen.push("abort refused: past the commit point");
            verdict.past_commit_point = true;
        } else {
            verdict.wrong.push(("the abort fails", run.errors.trim_end().to_owned()));
        }
        Ok(())
    }

    /// What must be there after a recovery that says that it is done.
    fn check_recovered(
        &self,
        what: &'static str,
        run: &Run,
        statement: Statement,
        left: Leftovers,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let contents = self.contents()?;
        let (is_old, is_new) = (contents == self.stage.work.old, contents == self.stage.work.new);
        self.must_be_tidy(what, left, verdict)?;
        if !self.stage.scenario.is_crash_safe() {
            // A cut `direct` commit may leave anything, and says so.
            verdict.mixture = !is_old && !is_new;
            verdict.seen.push(match (verdict.mixture, statement) {
                (true, _) => "direct: a mixture",
                (false, Statement::Damaged) => "direct: whole, though called damaged",
                (false, _) => "direct: whole",
            });
            return Ok(());
        }
        if !is_old && !is_new {
            verdict.mixture = true;
            let detail = format!(
                "{what} says {}; from old: {}; from new: {}",
                run.output.trim_end(),
                difference(&contents, &self.stage.work.old),
                difference(&contents, &self.stage.work.new)
            );
            verdict.wrong.push(("a mixture after recovery", detail));
            return Ok(());
        }
        verdict.seen.push(if is_new { "recovered: new" } else { "recovered: old" });
        if verdict.settled.is_some_and(|new| new != is_new) {
            let detail = format!("{what}: {}", run.output.trim_end());
            verdict.wrong.push(("what was settled changes again", detail));
        }
        verdict.settled = Some(is_new);
        let said = recovery_of(&run.output);
        let lies = match said.as_deref() {
            Some("completed") => !is_new,
            Some("rolled-back") => !is_old,
            Some("clean") => false,
            _ => true,
        };
        if lies {
            let detail = format!("{what} says {said:?}, old: {is_old}, new: {is_new}");
            verdict.wrong.push(("the recovery does not say what it did", detail));
        }
        if verdict.past_commit_point && !is_new {
            verdict.wrong.push(("past the commit point, and not new", what.to_owned()));
        }
        if statement == Statement::Unchanged && !is_old {
            verdict.wrong.push(("a commit that changed nothing is finished", what.to_owned()));
        }
        if statement == Statement::Committed && !is_new {
            verdict.wrong.push(("a commit that was done is taken back", what.to_owned()));
        }
        if is_new {
            self.check_beside(what, verdict)?;
        }
        Ok(())
    }
}
