//! Which polls the write barrier carries.
//!
//! The barrier compares an object's colour with [`medi_heap::layout::CHECK`], which equals no colour while a safepoint is
//! due. So a barrier that finds nothing to do has polled as well. Where a loop cannot come round to its safepoint without
//! passing a barrier, the safepoint is left out, and the barrier's slow path comes to one first if one is due.

use std::collections::{HashMap, HashSet, VecDeque};

use medi_check::mir::{Function, StmtKind};

use crate::roots::successors;

/// How many barriers are looked at for a poll, the nearest first.
const CANDIDATES: usize = 4;

/// Places are (block, index of the statement).
#[derive(Debug, Default)]
pub struct CarriedPolls {
    carried: HashSet<(usize, usize)>,
    carriers: HashSet<(usize, usize)>,
}

impl CarriedPolls {
    pub fn find(function: &Function) -> CarriedPolls {
        let mut polls = CarriedPolls::default();
        let mut barriers = HashMap::new();
        let mut safepoints = vec![];
        for (block, source) in function.blocks.iter().enumerate() {
            for (at, stmt) in source.stmts.iter().enumerate() {
                match stmt.kind {
                    StmtKind::Barrier { .. } => {
                        barriers.entry(block).or_insert(at);
                    }
                    StmtKind::Safepoint => safepoints.push((block, at)),
                    _ => {}
                }
            }
        }
        if barriers.is_empty() || safepoints.is_empty() {
            return polls;
        }
        let next = function.blocks.iter().map(|block| successors(&block.terminator));
        let graph = Graph::new(next.collect());
        for (block, at) in safepoints {
            let candidates = graph.before(block).filter(|before| barriers.contains_key(before));
            let carrier = candidates
                .take(CANDIDATES)
                .find(|candidate| graph.always_passes(block, *candidate));
            if let Some(carrier) = carrier {
                polls.carried.insert((block, at));
                polls.carriers.insert((carrier, barriers[&carrier]));
            }
        }
        polls
    }

    /// Whether the safepoint there is left out.
    pub fn is_carried(&self, block: usize, at: usize) -> bool {
        self.carried.contains(&(block, at))
    }

    /// Whether the barrier there polls.
    pub fn carries(&self, block: usize, at: usize) -> bool {
        self.carriers.contains(&(block, at))
    }
}

struct Graph {
    successors: Vec<Vec<usize>>,
    predecessors: Vec<Vec<usize>>,
}

impl Graph {
    fn new(successors: Vec<Vec<usize>>) -> Graph {
        let mut predecessors = vec![vec![]; successors.len()];
        for (block, next) in successors.iter().enumerate() {
            next.iter().for_each(|next| predecessors[*next].push(block));
        }
        Graph { successors, predecessors }
    }

    /// The block and those from which it can be reached, the nearest first.
    fn before(&self, block: usize) -> impl Iterator<Item = usize> {
        reach(vec![block], &self.predecessors, |_| true)
    }

    /// Whether every way from the block back to itself passes the other.
    fn always_passes(&self, block: usize, other: usize) -> bool {
        let allowed = move |next: usize| next != other;
        let starts = self.successors[block].iter().copied().filter(|next| allowed(*next)).collect();
        block == other || reach(starts, &self.successors, allowed).all(|reached| reached != block)
    }
}

/// The starts and all blocks that can be reached from them through allowed ones, breadth first.
fn reach(
    starts: Vec<usize>,
    edges: &[Vec<usize>],
    allowed: impl Fn(usize) -> bool,
) -> impl Iterator<Item = usize> {
    let mut seen = vec![false; edges.len()];
    starts.iter().for_each(|start| seen[*start] = true);
    let mut queue = VecDeque::from(starts);
    std::iter::from_fn(move || {
        let block = queue.pop_front()?;
        for next in &edges[block] {
            if allowed(*next) && !seen[*next] {
                seen[*next] = true;
                queue.push_back(*next);
            }
        }
        Some(block)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always_passes(edges: &[(usize, usize)], block: usize, other: usize) -> bool {
        let count = edges.iter().map(|(from, to)| from.max(to) + 1).max().unwrap();
        let mut successors = vec![vec![]; count];
        edges.iter().for_each(|(from, to)| successors[*from].push(*to));
        Graph::new(successors).always_passes(block, other)
    }

    /// 0 enters a loop of 1, then 2 or 3, then 4, which goes back to 1 or out to 5.
    const BRANCH: [(usize, usize); 7] = [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (4, 1), (4, 5)];

    #[test]
    fn what_every_turn_of_a_loop_passes_is_always_passed() {
        assert!(always_passes(&BRANCH, 4, 4));
        assert!(always_passes(&BRANCH, 4, 1));
    }

    #[test]
    fn what_only_some_turns_pass_or_what_is_outside_is_not_always_passed() {
        assert!(!always_passes(&BRANCH, 4, 2));
        assert!(!always_passes(&BRANCH, 4, 3));
        assert!(!always_passes(&BRANCH, 4, 0));
    }

    #[test]
    fn a_loop_inside_is_not_left_to_what_only_the_outer_one_passes() {
        // 0, then an outer loop of 1 and 3 with 2 turning on itself inside.
        let edges = [(0, 1), (1, 2), (2, 2), (2, 3), (3, 1), (3, 4)];
        assert!(!always_passes(&edges, 2, 1));
        assert!(always_passes(&edges, 3, 2));
        assert!(always_passes(&edges, 3, 1));
    }

    #[test]
    fn the_nearest_come_first() {
        let graph = Graph::new(vec![vec![1], vec![2, 3], vec![4], vec![4], vec![1, 5], vec![]]);
        assert_eq!(graph.before(4).collect::<Vec<_>>(), [4, 2, 3, 1, 0]);
    }
}
