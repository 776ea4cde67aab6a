//! A process under `ptrace`, whose calls are counted over all its threads, and one of them made to
//! fail.
//!
//! A seccomp filter stops the process at the calls of [`TRACED`] only, so that all others run at
//! full speed. At a stop the call has not begun: the number of the call can be taken away, so that
//! the kernel carries nothing out and returns what was put into the register of the result, or the
//! length can be shortened, or the process killed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, alarm};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::call::{Call, CallKind, Object, Operand, TRACED, Traced};
use super::fault::{Fault, Injection};

/// A process that has not ended after so many seconds hangs, and is ended by SIGALRM. A usual one
/// takes a hundredth of one.
const LONGEST_RUN: u32 = 300;

/// How a traced process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// The injection killed it.
    Killed,
    /// Another signal ended it.
    Signal(Signal),
}

/// What a traced process did.
#[derive(Debug)]
pub struct Trace {
    pub ending: Ending,
    /// The counted calls, in the order of arrival.
    pub calls: Vec<Call>,
    /// The call that the fault hit first; none if it hit none.
    pub hit: Option<Call>,
    /// The calls that the fault let fail without being carried out.
    pub failed: Vec<Call>,
}

impl Trace {
    /// Whether the fault kept a call of this kind on this file from being carried out.
    pub fn has_failed(&self, kind: CallKind, object: Object) -> bool {
        self.failed.iter().any(|call| call.kind == kind && call.object == object)
    }
}

/// Where the files of a case are, to tell which calls count.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The directory of the target. Calls on files outside of it do not count.
    pub directory: &'a Path,
    /// The target.
    pub target: &'a Path,
    /// The directory with new bytes and scripts.
    pub inputs: &'a Path,
}

impl Scene<'_> {
    /// The part that a file plays, by its path; none if it plays none.
    fn object(&self, path: &Path) -> Option<Object> {
        let name = path.strip_prefix(self.directory).ok()?.as_os_str().as_bytes();
        Some(if path == self.target {
            Object::Target
        } else if name.is_empty() {
            Object::Directory
        } else if path.starts_with(self.inputs) {
            Object::Input
        } else if name.ends_with(b"(deleted)") {
            Object::Temporary
        } else if name.ends_with(b".bytesplice") {
            Object::Journal
        } else if name.ends_with(b".bytesplice-new") {
            Object::Replacement
        } else {
            Object::Beside
        })
    }
}

/// The word by which this program becomes another one that is traced.
pub const TRACED_PROGRAM: &str = "traced";

/// Becomes another program, traced by the parent of this process. The words are the program and its
/// arguments. A process of its own does this, so that the many workers of this program never fork
/// with all their memory, and nothing needs to be done between a fork and an exec.
///
/// # Errors
/// Returns only if the program cannot be traced or started.
pub fn become_traced(words: &[String]) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let mut command = Command::new(program);
    command.args(arguments);
    let filter = filter()?;
    ptrace::traceme().map_err(|error| format!("ptrace: {error}"))?;
    alarm::set(LONGEST_RUN);
    seccompiler::apply_filter(&filter).map_err(|error| format!("seccomp: {error}"))?;
    // From here on the calls of the filter fail until the tracer knows of it, which is after exec.
    Err(format!("{program}: {}", command.exec()))
}

/// The filter that stops a process at the traced calls.
fn filter() -> Result<BpfProgram, String> {
    let failed = |error: &dyn std::fmt::Display| format!("no filter for system calls: {error}");
    let mut rules = Vec::new();
    for traced in TRACED {
        // Memory without a file is mapped often, and cannot fail in a way that concerns files.
        let conditions = if traced.number == libc::SYS_mmap {
            let file = SeccompCondition::new(
                4,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::Ne,
                u64::from(u32::MAX),
            );
            let rule = file.and_then(|file| SeccompRule::new(vec![file]));
            vec![rule.map_err(|error| failed(&error))?]
        } else {
            Vec::new()
        };
        rules.push((traced.number, conditions));
    }
    let arch = std::env::consts::ARCH.try_into().map_err(|error| failed(&error))?;
    let filter = SeccompFilter::new(
        rules.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Trace(0),
        arch,
    );
    filter.and_then(TryInto::try_into).map_err(|error| failed(&error))
}

/// Says why processes cannot be traced here, if they cannot.
///
/// # Errors
/// The reason.
pub fn probe() -> Result<(), String> {
    let nowhere = Path::new("/nonexistent");
    let scene = Scene { directory: nowhere, target: nowhere, inputs: nowhere };
    match trace(traced_command(Path::new("/bin/true")), scene, None)?.ending {
        Ending::Exited(0) => Ok(()),
        ending => Err(format!("a traced `true` ended otherwise: {ending:?}")),
    }
}

/// A command that runs a program to be traced.
pub fn traced_command(program: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(TRACED_PROGRAM).arg(program);
    command
}

/// Starts a process and follows it to its end. What it asks of the files of the scene is counted;
/// the injection, if there is one, hits one of these calls. The command is a [`traced_command`].
///
/// # Errors
/// The process cannot be started or traced.
pub fn trace(
    mut command: Command,
    scene: Scene<'_>,
    injection: Option<Injection>,
) -> Result<Trace, String> {
    let child = command.spawn().map_err(|error| format!("cannot start a process: {error}"))?;
    let leader = Pid::from_raw(child.id().cast_signed());
    let trace = Trace { ending: Ending::Killed, calls: Vec::new(), hit: None, failed: Vec::new() };
    let mut tracer = Tracer {
        leader,
        scene,
        injection,
        memory: None,
        known: BTreeSet::from([leader]),
        pending: Vec::new(),
        killed: false,
        trace,
    };
    tracer.follow().map_err(|reason| {
        // It may have ended already.
        let _ = kill(leader, Signal::SIGKILL);
        format!("cannot trace a process: {reason}")
    })?;
    Ok(tracer.trace)
}

struct Tracer<'a> {
    leader: Pid,
    scene: Scene<'a>,
    injection: Option<Injection>,
    /// The memory of the process, to read paths from.
    memory: Option<File>,
    /// Threads that have stopped once.
    known: BTreeSet<Pid>,
    /// Threads in a call after which something is to be done.
    pending: Vec<(Pid, AfterCall)>,
    killed: bool,
    trace: Trace,
}

/// What is to be done when a call is over.
#[derive(Debug, Clone, Copy)]
enum AfterCall {
    Kill,
    /// A call that succeeded returns this error.
    Report(Errno),
    /// The register of the length gets its old value back, as system calls preserve it.
    RestoreLength(usize, u64),
}

impl Tracer<'_> {
    /// Follows the process until it and all its threads have ended.
    fn follow(&mut self) -> Result<(), String> {
        // The first stop is at the end of exec.
        match waitpid(self.leader, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Stopped(..)) => self.follow_program().map_err(|error| error.to_string()),
            Ok(status) => Err(format!("{status:?} before it began")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn follow_program(&mut self) -> nix::Result<()> {
        let options = Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.leader, options)?;
        ptrace::cont(self.leader, None)?;
        // The children of this thread only: other threads trace processes of their own.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let status = match waitpid(Pid::from_raw(-1), Some(flags)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(error),
            };
            // A thread that was killed meanwhile cannot be told to go on, and its end is reported
            // next.
            match self.handle(status) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn handle(&mut self, status: WaitStatus) -> nix::Result<()> {
        match status {
            WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_SECCOMP) => self.call(thread),
            WaitStatus::PtraceEvent(thread, ..) => ptrace::cont(thread, None),
            WaitStatus::PtraceSyscall(thread) => self.after_call(thread),
            // New threads begin with a stop.
            WaitStatus::Stopped(thread, Signal::SIGSTOP) if self.known.insert(thread) => {
                ptrace::cont(thread, None)
            }
            WaitStatus::Stopped(thread, signal) => ptrace::cont(thread, signal),
            WaitStatus::Exited(thread, code) if thread == self.leader => {
                self.trace.ending = Ending::Exited(code);
                Ok(())
            }
            WaitStatus::Signaled(thread, signal, _) if thread == self.leader => {
                self.trace.ending = if self.killed && signal == Signal::SIGKILL {
                    Ending::Killed
                } else {
                    Ending::Signal(signal)
                };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A thread is about to make a call.
    fn call(&mut self, thread: Pid) -> nix::Result<()> {
        let mut registers = ptrace::getregs(thread)?;
        let arguments = [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ];
        let number = registers.orig_rax.cast_signed();
        let Some(traced) = Traced::of(number) else { return ptrace::cont(thread, None) };
        let Some(call) = self.recognise(thread, traced, arguments) else {
            return ptrace::cont(thread, None);
        };
        let index = self.trace.calls.len();
        self.trace.calls.push(call.clone());
        let fail = |registers: &mut libc::user_regs_struct, errno: Errno| {
            registers.orig_rax = u64::MAX;
            registers.rax = (-i64::from(errno as i32)).cast_unsigned();
            ptrace::setregs(thread, *registers)?;
            ptrace::cont(thread, None)
        };
        if let (Some(injection), Some(hit)) = (self.injection, &self.trace.hit)
            && let Some(errno) = injection.fault.error_after(hit, &call)
        {
            self.trace.failed.push(call);
            return fail(&mut registers, errno);
        }
        let fault = match self.injection {
            Some(Injection { fault, at })
                if index >= at && self.trace.hit.is_none() && fault.fits(&call) =>
            {
                fault
            }
            _ => return ptrace::cont(thread, None),
        };
        let shortened = traced.length.map(|argument| (argument, arguments[argument]));
        // A single byte has no part.
        if fault.shortens() && shortened.is_none_or(|(_, len)| len < 2) {
            return ptrace::cont(thread, None);
        }
        let fails = matches!(
            fault,
            Fault::FailOnce(_) | Fault::FailForGood(_) | Fault::FullDisk | Fault::BrokenDisk
        );
        if fails {
            self.trace.failed.push(call.clone());
        }
        self.trace.hit = Some(call);
        match fault {
            Fault::KillBefore => self.kill(),
            Fault::KillAfter => self.until_over(thread, AfterCall::Kill),
            Fault::FailOnce(errno) | Fault::FailForGood(errno) => fail(&mut registers, errno),
            Fault::FullDisk => fail(&mut registers, Errno::ENOSPC),
            Fault::BrokenDisk => fail(&mut registers, Errno::EIO),
            Fault::ReportFailed(errno) => self.until_over(thread, AfterCall::Report(errno)),
            Fault::KillInside | Fault::Short | Fault::ShortThenFull => {
                let Some((argument, len)) = shortened else { return ptrace::cont(thread, None) };
                *length_register(&mut registers, argument) = (len * 3 / 7).max(1);
                ptrace::setregs(thread, registers)?;
                let then = match fault {
                    Fault::KillInside => AfterCall::Kill,
                    _ => AfterCall::RestoreLength(argument, len),
                };
                self.until_over(thread, then)
            }
        }
    }

    /// Lets a thread make its call, and stop after it.
    fn until_over(&mut self, thread: Pid, then: AfterCall) -> nix::Result<()> {
        self.pending.push((thread, then));
        ptrace::syscall(thread, None)
    }

    fn after_call(&mut self, thread: Pid) -> nix::Result<()> {
        let Some(at) = self.pending.iter().position(|(pending, _)| *pending == thread) else {
            return ptrace::cont(thread, None);
        };
        let (_, then) = self.pending.swap_remove(at);
        let mut registers = ptrace::getregs(thread)?;
        match then {
            AfterCall::Kill => return self.kill(),
            AfterCall::Report(errno) => {
                if registers.rax.cast_signed() >= 0 {
                    registers.rax = (-i64::from(errno as i32)).cast_unsigned();
                }
            }
            AfterCall::RestoreLength(argument, len) => {
                *length_register(&mut registers, argument) = len;
            }
        }
        ptrace::setregs(thread, registers)?;
        ptrace::cont(thread, None)
    }

    /// Kills the whole process. A call at whose beginning a thread stops is then not carried out.
    fn kill(&mut self) -> nix::Result<()> {
        self.killed = true;
        kill(self.leader, Signal::SIGKILL)
    }

    /// The call as an injection sees it; none if it does not count.
    fn recognise(&mut self, thread: Pid, traced: &Traced, arguments: [u64; 6]) -> Option<Call> {
        let (name, kind) = traced.refined(arguments)?;
        let object = match traced.operand {
            Operand::None => Object::Process,
            Operand::Descriptor(argument) => {
                self.scene.object(&path_of(thread, arguments[argument])?)?
            }
            Operand::Path(argument) => {
                let path = self.path_at(arguments[argument])?;
                self.scene.object(&path)?
            }
            Operand::At(argument) => {
                let path = self.path_at(arguments[argument + 1])?;
                let path = if path.is_absolute() {
                    path
                } else {
                    let directory = path_of(thread, arguments[argument])?;
                    if path.as_os_str().is_empty() { directory } else { directory.join(path) }
                };
                self.scene.object(&path)?
            }
        };
        Some(Call { number: traced.number, name, kind, object })
    }

    /// The path at an address of the process.
    fn path_at(&mut self, address: u64) -> Option<PathBuf> {
        if self.memory.is_none() {
            self.memory = File::open(format!("/proc/{}/mem", self.leader)).ok();
        }
        let mut bytes = vec![0; libc::PATH_MAX as usize];
        // Fewer bytes come where the memory ends.
        let len = self.memory.as_ref()?.read_at(&mut bytes, address).ok()?;
        let end = bytes[..len].iter().position(|&byte| byte == 0)?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(&bytes[..end])))
    }
}

/// The path of an open file.
fn path_of(thread: Pid, descriptor: u64) -> Option<PathBuf> {
    // Descriptors are 32 bits of the register; `AT_FDCWD` is no number of one.
    let descriptor = descriptor as u32 as i32;
    if descriptor < 0 {
        return fs::read_link(format!("/proc/{thread}/cwd")).ok();
    }
    fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()
}

fn length_register(registers: &mut libc::user_regs_struct, argument: usize) -> &mut u64 {
    match argument {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        _ => &mut registers.r9,
    }
}
