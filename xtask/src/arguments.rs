use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::crash::Tier;
use crate::faults::Amount;
use crate::file_system::FileSystem;
use crate::{faults, power_cuts, shutdowns};

/// What is asked for on the command line.
pub struct Arguments {
    /// Which tiers, in this order.
    pub tiers: Vec<Tier>,
    /// Where the choices start.
    pub seed: u64,
    /// When to stop; none for one round.
    pub deadline: Option<Instant>,
    /// States of the power cuts in a round.
    pub states: Vec<(FileSystem, u64)>,
    /// Shutdowns in a round.
    pub rounds: u64,
    /// Faults of system calls in a round.
    pub faults: faults::Options,
}

impl Arguments {
    /// Reads the words of the command line; none if help is asked for.
    pub fn parse(command: &str, words: &[String]) -> Result<Option<Self>, String> {
        let tiers = match command {
            "help" | "--help" | "-h" => return Ok(None),
            "crash" => Tier::ALL.to_vec(),
            name => vec![Tier::named(name)?],
        };
        let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut arguments = Self {
            tiers,
            seed: now.as_secs(),
            deadline: None,
            states: power_cuts::STATES.to_vec(),
            rounds: shutdowns::ROUNDS,
            faults: faults::Options {
                // All crash tests at length try every call.
                amount: if command == "crash" { Amount::Every } else { Amount::Usual },
                scenarios: Vec::new(),
                case: None,
            },
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--help" {
                return Ok(None);
            }
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            let number = || {
                value.parse::<u64>().map_err(|_| format!("`{word} {value}`: a number is wanted"))
            };
            match word.as_str() {
                "--seed" => arguments.seed = number()?,
                "--minutes" => {
                    arguments.deadline = Some(Instant::now() + Duration::from_secs(number()? * 60));
                }
                "--rounds" => arguments.rounds = number()?,
                "--injections" => {
                    arguments.faults.amount =
                        if value == "every" { Amount::Every } else { Amount::Count(number()?) };
                }
                "--scenarios" => {
                    arguments.faults.scenarios = value.split(',').map(str::to_owned).collect();
                }
                "--case" => arguments.faults.case = Some(value.clone()),
                "--tiers" => {
                    arguments.tiers =
                        value.split(',').map(Tier::named).collect::<Result<_, _>>()?;
                }
                "--ext4" | "--xfs" | "--btrfs" => {
                    let states = number()?;
                    let kind = |of: &&mut (FileSystem, u64)| of.0.name() == &word[2..];
                    if let Some(of) = arguments.states.iter_mut().find(kind) {
                        of.1 = states;
                    }
                }
                _ => return Err(format!("there is no `{word}`")),
            }
        }
        Ok(Some(arguments))
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
