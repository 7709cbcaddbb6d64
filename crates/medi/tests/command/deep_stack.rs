//! What the frames of a deep stack hold, while the collector looks at the older ones and the thread returns to them.

use crate::support::{finished, medi, text};

#[test]
fn a_thread_and_the_collector_meet_in_a_deep_stack_and_nothing_is_lost() {
    let flags = ["--gc-young-trigger", "200KB", "--gc-verify", "--gc-poison"];
    for seed in ["1", "2", "3"] {
        let mut command = medi(&["run"]);
        command.args(flags).arg("crates/medi/tests/stacks/deep_stack.medi");
        let output = finished(command.env("MEDI_GC_DELAY_SEED", seed));
        assert!(output.status.success(), "seed {seed}: {}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert!(
            printed.lines().count() > 1000 && printed.lines().all(|line| line == "0"),
            "seed {seed}"
        );
    }
}
