//! What the process itself uses, read when somebody asks for metrics.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Registers `process_resident_memory_bytes` and `process_cpu_seconds_total`, under the names that every client
/// library of Prometheus gives them.
///
/// The figures are of Linux's `/proc`; elsewhere nothing is answered for them.
pub fn register_process_metrics(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

/// Ticks of `/proc/self/stat` in a second: the kernel converts to this figure for programs, whatever its own is.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        if let Some(bytes) = resident_bytes(&read("status")) {
            let gauge = ConstGauge::new(bytes);
            let help = "Bytes of memory that the process holds";
            let metric = encoder.encode_descriptor(
                "process_resident_memory_bytes",
                help,
                None,
                gauge.metric_type(),
            )?;
            gauge.encode(metric)?;
        }
        if let Some(seconds) = cpu_seconds(&read("stat")) {
            let counter = ConstCounter::new(seconds);
            let help = "Seconds of processor time that the process has used";
            let metric =
                encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

/// `VmRSS` of `/proc/self/status`, which is in KiB.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

/// User and system time of `/proc/self/stat`: its fields 14 and 15.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The program's name, field 2, stands in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_read() {
        assert_eq!(resident_bytes("Name:\twindlass\nVmRSS:\t   20480 kB\nThreads:\t3\n"), Some(20_971_520));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 75 0 0 20 0 3 0 1 2 3";
        assert_eq!(cpu_seconds(stat), Some(2.25));
        assert_eq!(cpu_seconds("42 (x) S 1"), None);
    }

    #[test]
    fn they_are_among_the_metrics() {
        let mut registry = Registry::default();
        register_process_metrics(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for expected in [
            "# TYPE process_resident_memory_bytes gauge\n",
            "# TYPE process_cpu_seconds counter\n",
            "process_cpu_seconds_total ",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }
}
