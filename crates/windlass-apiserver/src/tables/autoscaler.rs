//! The targets of a HorizontalPodAutoscaler in one cell.

use windlass_kube::Value;

/// How many metrics the cell shows.
const SHOWN: usize = 2;

pub(super) fn targets(autoscaler: &Value) -> String {
    let specs = autoscaler.items_at(&["spec", "metrics"]);
    if specs.is_empty() {
        return "<none>".into();
    }
    let statuses = autoscaler.items_at(&["status", "currentMetrics"]);
    let list: Vec<String> =
        specs.iter().zip(0..).map(|(spec, idx)| metric(spec, statuses.get(idx))).collect();
    let shown = list[..list.len().min(SHOWN)].join(", ");
    if list.len() > SHOWN { format!("{shown} + {} more...", list.len() - SHOWN) } else { shown }
}

/// The targets of version 1, which knows CPU alone.
pub(super) fn targets_v1(autoscaler: &Value) -> String {
    let target = autoscaler.int_at(&["spec", "targetCPUUtilizationPercentage"]);
    let Some(target) = target else { return "<none>".into() };
    let current = autoscaler
        .int_at(&["status", "currentCPUUtilizationPercentage"])
        .map_or("<unknown>".to_owned(), |percent| format!("{percent}%"));
    format!("cpu: {current}/{target}%")
}

fn metric(spec: &Value, status: Option<&Value>) -> String {
    let kind = spec.str_at(&["type"]).unwrap_or_default();
    let (member, named) = match kind {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".into(),
    };
    let target = |field: &str| spec.at(&[member, "target", field]).map(plain);
    let current = |field: &str| {
        status.and_then(|status| status.at(&[member, "current", field])).map_or("<unknown>".to_owned(), plain)
    };
    let shown = match target("averageValue") {
        Some(average) if named || kind == "Pods" => format!("{}/{average}", current("averageValue")),
        Some(average) => format!("{}/{average} (avg)", current("averageValue")),
        None if named => {
            let percent = |text: String| if text.starts_with('<') { text } else { format!("{text}%") };
            let wanted = target("averageUtilization").map_or("<auto>".to_owned(), percent);
            format!("{}/{wanted}", percent(current("averageUtilization")))
        }
        None => format!("{}/{}", current("value"), target("value").unwrap_or_else(|| "<nil>".into())),
    };
    if named { format!("{}: {shown}", spec.str_at(&[member, "name"]).unwrap_or_default()) } else { shown }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("{value:?}"), str::to_owned)
}
