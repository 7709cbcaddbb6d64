//! The loops of a function.
//!
//! Dominators are those of Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm" (2001).

use super::Function;
use super::validate::targets;

/// A natural loop.
pub struct Loop {
    pub header: usize,
    /// Where it goes back from.
    pub latches: Vec<usize>,
    /// Of each block: whether it is part.
    pub body: Vec<bool>,
    /// Its blocks.
    pub size: usize,
}

/// Of each block: those that lead to it, once for each edge.
pub fn predecessors(function: &Function) -> Vec<Vec<usize>> {
    let mut found = vec![vec![]; function.blocks.len()];
    for (index, block) in function.blocks.iter().enumerate() {
        for target in targets(&block.terminator.kind) {
            found[target.index()].push(index);
        }
    }
    found
}

/// The closest block that is on every way to each; blocks stand in reverse postorder.
fn dominators(predecessors: &[Vec<usize>]) -> Vec<usize> {
    const UNKNOWN: usize = usize::MAX;
    let mut closest = vec![UNKNOWN; predecessors.len()];
    closest[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for block in 1..predecessors.len() {
            let mut common = UNKNOWN;
            for &from in &predecessors[block] {
                if closest[from] == UNKNOWN {
                    continue;
                }
                let (mut a, mut b) = (from, if common == UNKNOWN { from } else { common });
                while a != b {
                    if a > b {
                        a = closest[a];
                    } else {
                        b = closest[b];
                    }
                }
                common = a;
            }
            if closest[block] != common {
                closest[block] = common;
                changed = true;
            }
        }
    }
    closest
}

/// The loops of a function whose blocks stand in reverse postorder.
pub fn loops(function: &Function) -> Vec<Loop> {
    let predecessors = predecessors(function);
    let closest = dominators(&predecessors);
    let dominates = |above: usize, mut block: usize| {
        while block > above {
            block = closest[block];
        }
        block == above
    };
    let mut found: Vec<Loop> = vec![];
    for (from, block) in function.blocks.iter().enumerate() {
        for target in targets(&block.terminator.kind) {
            let header = target.index();
            if header > from || !dominates(header, from) {
                continue;
            }
            let at = found.iter().position(|inner| inner.header == header).unwrap_or_else(|| {
                let mut body = vec![false; function.blocks.len()];
                body[header] = true;
                found.push(Loop { header, latches: vec![], body, size: 1 });
                found.len() - 1
            });
            let inner = &mut found[at];
            inner.latches.push(from);
            let mut work = vec![from];
            while let Some(block) = work.pop() {
                if !std::mem::replace(&mut inner.body[block], true) {
                    inner.size += 1;
                    work.extend(&predecessors[block]);
                }
            }
        }
    }
    found
}
