//! "Did you mean": the known name that is nearest to an unknown one.
//!
//! Nearness is the optimal string alignment distance (an insertion, a deletion, a substitution or a
//! swap of neighbours costs one), after ignoring case and underscores, so that `patientId` finds
//! `patient_id`. A third of the name may differ, at least one character; more would be guessing.

/// The candidate that `name` was probably meant to be; the first of equally near ones. A candidate
/// that equals `name` is not a suggestion.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    if wanted.is_empty() {
        return None;
    }
    let allowed = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.filter(|candidate| *candidate != name) {
        let folded = folded(candidate);
        if folded.len().abs_diff(wanted.len()) > allowed || folded.is_empty() {
            continue;
        }
        let distance = distance(&wanted, &folded);
        // One letter for another is a different name, not a misspelling.
        let unrelated = wanted.len() == 1 && distance > 0;
        if distance <= allowed && !unrelated && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn folded(name: &str) -> Vec<char> {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 0..left.len() {
        let mut current = vec![i + 1; right.len() + 1];
        for j in 0..right.len() {
            let substituted = last[j] + usize::from(left[i] != right[j]);
            let mut cost = substituted.min(last[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && left[i] == right[j - 1] && left[i - 1] == right[j] {
                cost = cost.min(before_last[j - 1] + 1);
            }
            current[j + 1] = cost;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    fn among<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
        closest(name, candidates.iter().copied())
    }

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        assert_eq!(among("pulse_bmp", &["pulse_rate", "pulse_bpm"]), Some("pulse_bpm"));
    }

    #[test]
    fn case_and_underscores_cost_nothing() {
        assert_eq!(among("patientId", &["patient", "patient_id"]), Some("patient_id"));
        assert_eq!(among("String", &["string"]), Some("string"));
    }

    #[test]
    fn a_quite_different_name_is_not_suggested() {
        assert_eq!(among("weight", &["systolic", "temperature"]), None);
        assert_eq!(among("x", &["y", "z"]), None);
        assert_eq!(among("", &["a"]), None);
    }

    #[test]
    fn the_same_name_is_not_a_suggestion() {
        assert_eq!(among("age", &["age"]), None);
    }

    #[test]
    fn the_nearest_wins_and_the_first_of_equals() {
        assert_eq!(among("lenth", &["tenth", "length", "lent"]), Some("tenth"));
        assert_eq!(among("contians", &["contain", "contains"]), Some("contains"));
    }
}
