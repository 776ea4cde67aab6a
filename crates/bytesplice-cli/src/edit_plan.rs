//! What the commit of an edit would do, to a file or to an object.

use bytesplice::{CommitOptions, CommitPlan};
use bytesplice_s3::{Opened, Plan};
use serde_json::Value;

use crate::failure::Failure;
use crate::layout::Layout;
use crate::object_plan::{object_plan_table, object_plan_value};
use crate::output::plan_value;
use crate::plan_table::plan_table;

/// The plan of either.
pub enum EditPlan {
    File(Box<CommitPlan>),
    Object(Box<Plan>),
}

impl EditPlan {
    /// That of the next commit.
    ///
    /// # Errors
    /// There is none: the strategy, or the store, does not allow it.
    pub fn of(opened: &mut Opened, options: &CommitOptions<'_>) -> Result<Self, Failure> {
        Ok(match opened {
            Opened::File(file) => {
                // Others may have renamed it while the edits were read.
                file.locate()?;
                Self::File(Box::new(file.plan_with(options)?))
            }
            Opened::Object(object) => Self::Object(Box::new(object.plan()?)),
        })
    }

    /// For people.
    pub fn table(&self, layout: &Layout) -> String {
        match self {
            Self::File(plan) => plan_table(plan, layout),
            Self::Object(plan) => object_plan_table(plan, layout),
        }
    }

    /// For programs.
    pub fn value(&self) -> Value {
        match self {
            Self::File(plan) => plan_value(plan),
            Self::Object(plan) => object_plan_value(plan),
        }
    }

    /// Whether other names of the file keep the old contents.
    pub fn breaks_hard_links(&self) -> bool {
        matches!(self, Self::File(plan) if plan.breaks_hard_links)
    }
}
