//! What a commit would do, as a dictionary.

use bytesplice::{CommitPlan, StrategyCost};
use bytesplice_s3::{ObjectFile, Origin, Plan};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The plan under the names that the command line uses in `--json`.
pub(crate) fn plan_to_python<'py>(
    py: Python<'py>,
    plan: &CommitPlan,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("strategy", plan.strategy.to_string())?;
    dict.set_item("reason", &plan.reason)?;
    let costs = plan.costs.iter().map(|cost| cost_to_python(py, cost));
    dict.set_item("costs", PyList::new(py, costs.collect::<PyResult<Vec<_>>>()?)?)?;
    dict.set_item("old_length", plan.old_len)?;
    dict.set_item("new_length", plan.new_len)?;
    dict.set_item("bytes_staying", plan.bytes_staying)?;
    dict.set_item("bytes_moved", plan.bytes_moved)?;
    dict.set_item("bytes_new", plan.bytes_new)?;
    dict.set_item("bytes_to_read", plan.bytes_to_read)?;
    dict.set_item("bytes_to_write", plan.bytes_to_write)?;
    dict.set_item("bytes_to_journal", plan.bytes_to_journal)?;
    dict.set_item("fsyncs", plan.fsyncs)?;
    dict.set_item("extra_disk", plan.extra_disk)?;
    dict.set_item("keeps_inode", plan.keeps_inode)?;
    dict.set_item("steps", plan.steps)?;
    Ok(dict)
}

/// The plan for an object in the same way.
pub(crate) fn object_plan_to_python<'py>(
    py: Python<'py>,
    object: &ObjectFile,
    plan: &Plan,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let cost = plan.cost();
    dict.set_item("old_length", object.old_len())?;
    dict.set_item("new_length", plan.len())?;
    dict.set_item("single_put", plan.is_single_put())?;
    dict.set_item("bytes_up", cost.bytes_up)?;
    dict.set_item("bytes_down", cost.bytes_down)?;
    dict.set_item("bytes_copied", cost.bytes_copied)?;
    let requests = PyDict::new(py);
    requests.set_item("tags", cost.requests.tags)?;
    requests.set_item("creates", cost.requests.creates)?;
    requests.set_item("gets", cost.requests.gets)?;
    requests.set_item("uploads", cost.requests.uploads)?;
    requests.set_item("copies", cost.requests.copies)?;
    requests.set_item("lists", cost.requests.lists)?;
    requests.set_item("heads", cost.requests.heads)?;
    requests.set_item("puts", cost.requests.puts)?;
    requests.set_item("completes", cost.requests.completes)?;
    requests.set_item("total", cost.requests.total())?;
    dict.set_item("requests", requests)?;
    dict.set_item("price", cost.price)?;
    let parts = plan.parts().iter().map(|part| {
        let dict = PyDict::new(py);
        dict.set_item("range", (part.offset, part.end()))?;
        match part.origin {
            Origin::Kept(from) => dict.set_item("copied_from", from)?,
            Origin::New => dict.set_item("bytes_fetched", plan.bytes_fetched(part))?,
        }
        Ok(dict)
    });
    dict.set_item("parts", PyList::new(py, parts.collect::<PyResult<Vec<_>>>()?)?)?;
    Ok(dict)
}

fn cost_to_python<'py>(py: Python<'py>, cost: &StrategyCost) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("strategy", cost.strategy.to_string())?;
    if let Some(reason) = &cost.unavailable {
        dict.set_item("unavailable", reason)?;
        return Ok(dict);
    }
    dict.set_item("bytes_to_read", cost.bytes_to_read)?;
    dict.set_item("bytes_to_write", cost.bytes_to_write)?;
    dict.set_item("bytes_to_journal", cost.bytes_to_journal)?;
    dict.set_item("fsyncs", cost.fsyncs)?;
    dict.set_item("extra_disk", cost.extra_disk)?;
    dict.set_item("keeps_inode", cost.keeps_inode)?;
    dict.set_item("steps", cost.steps)?;
    dict.set_item("estimated_seconds", cost.estimate.as_secs_f64())?;
    Ok(dict)
}
