//! What `--gc-log` prints: a line a cycle.

use std::time::Duration;

use medi_heap::{Bytes, CycleReport};

use crate::stats::time;

/// One cycle as a line, without its end.
pub fn line(report: &CycleReport) -> String {
    let r = report;
    let kind = match (r.full, r.nested) {
        (true, _) => "full ",
        (false, false) => "young",
        (false, true) => "young, during the next full one",
    };
    let limit = r.limit.map_or(String::new(), |limit| format!(" of {}", Bytes(limit)));
    let ns = |duration: Duration| time(duration.as_nanos() as u64);
    format!(
        "[gc] {:.3} s  cycle {} {kind}  {} allocated since the last, {} meanwhile; marked {} ({} objects) in {}, {} of CPU, \
         flip {}, rounds {}, whole {}; live {}, heap {}{limit}, {} free; next {} after {}",
        r.began.as_secs_f64(),
        r.number,
        Bytes(r.allocated),
        Bytes(r.allocated_meanwhile),
        Bytes(r.marked_bytes),
        r.marked_objects,
        ns(r.mark),
        ns(r.mark_cpu),
        ns(r.flip),
        r.rounds,
        ns(r.whole),
        Bytes(r.live),
        Bytes(r.heap),
        Bytes(r.free),
        if r.next_full { "full" } else { "young" },
        Bytes(r.next_after),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_one_line_that_a_person_can_read() {
        let ms = Duration::from_millis;
        let report = CycleReport {
            number: 7,
            full: true,
            nested: false,
            began: ms(1234),
            flip: Duration::from_micros(80),
            mark: ms(30),
            mark_cpu: ms(58),
            whole: ms(31),
            rounds: 1,
            marked_objects: 4_196_355,
            marked_bytes: 128 << 20,
            allocated: 300 << 20,
            allocated_meanwhile: 68 << 20,
            live: 128 << 20,
            heap: 860 << 20,
            free: 650 << 20,
            external: 0,
            limit: Some(2 << 30),
            next_after: 96 << 20,
            next_full: false,
        };
        assert_eq!(
            line(&report),
            "[gc] 1.234 s  cycle 7 full   300 MiB allocated since the last, 68 MiB meanwhile; marked 128 MiB \
             (4196355 objects) in 30.0 ms, 58.0 ms of CPU, flip 80.0 µs, rounds 1, whole 31.0 ms; live 128 MiB, heap 860 MiB of \
             2 GiB, 650 MiB free; next young after 96 MiB"
        );
    }
}
