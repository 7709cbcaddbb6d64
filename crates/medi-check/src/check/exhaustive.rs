//! Whether a `match` covers every value, and whether each arm can be reached.
//!
//! The algorithm is Maranget's (Warnings for pattern matching, 2007): a pattern is useful after others
//! if some value matches it and none of them. Ints are split into the intervals that the patterns
//! distinguish. The number of steps is bounded, since the problem is hard in the worst case.

use std::borrow::Cow;

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::Span;

use super::body::Body;
use super::show::article;
use crate::hir::{self, PatternKind};
use crate::types::{Ty, TyId};

/// How many rows may be looked at.
const MAX_STEPS: u64 = 5_000_000;

/// What a value can be at its outermost.
#[derive(Clone, PartialEq, Debug)]
enum Head {
    Variant(u32),
    Bool(bool),
    Nil,
    Some,
    Ok,
    Err,
    Tuple,
    Range(i64, i64),
    /// A string or a float, of which there is no end.
    Other(String),
}

#[derive(Clone, Debug)]
enum Pat {
    Any,
    Is(Head, Vec<Pat>),
    Or(Vec<Pat>),
}

static ANY: Pat = Pat::Any;

/// The patterns left to look at, in the order of the values' parts.
type Row<'p> = Vec<&'p Pat>;

struct TooManySteps;

impl Body<'_, '_> {
    /// Reports values that no arm matches, and arms that no value reaches.
    pub(super) fn check_exhaustive(
        &mut self,
        subject: &hir::Expr,
        arms: &[(hir::Pattern, Option<hir::Expr>)],
        span: Span,
    ) {
        if self.is_error(subject.ty) {
            return;
        }
        let patterns: Vec<Pat> = arms.iter().map(|(pattern, _)| simplify(pattern)).collect();
        let mut steps = 0;
        let mut rows: Vec<Row> = vec![];
        for ((pattern, guard), simple) in arms.iter().zip(&patterns) {
            match self.uncovered(&rows, &[simple], &[subject.ty], &mut steps) {
                Err(TooManySteps) => return self.too_complex(span),
                Ok(Some(_)) => {}
                Ok(None) => {
                    let message = "this arm is never reached";
                    let diagnostic = Diagnostic::warning("E0402", message, pattern.span, "")
                        .why("the arms above it match everything that it matches")
                        .help("remove it, or move it up");
                    self.warn(diagnostic);
                }
            }
            if guard.is_none() {
                rows.push(vec![simple]);
            }
        }
        let mut witnesses: Vec<Pat> = vec![];
        while witnesses.len() < 4 {
            let mut all = rows.clone();
            all.extend(witnesses.iter().map(|witness| vec![witness]));
            match self.uncovered(&all, &[&ANY], &[subject.ty], &mut steps) {
                Err(TooManySteps) => return self.too_complex(span),
                Ok(None) => break,
                Ok(Some(witness)) => witnesses.extend(witness),
            }
        }
        if witnesses.is_empty() {
            return;
        }
        let mut missing: Vec<String> =
            witnesses.iter().map(|witness| self.describe(witness, subject.ty)).collect();
        missing.dedup();
        let listed: Vec<String> =
            missing.iter().take(3).map(|missing| format!("`{missing}`")).collect();
        let more = if missing.len() > 3 { ", …" } else { "" };
        let message = format!("not every case is matched: {}{more}", listed.join(", "));
        let shown = self.show(subject.ty);
        let label = format!("{} `{shown}`", article(&shown));
        let mut diagnostic = Diagnostic::error("E0401", message, subject.span, label);
        if arms.iter().any(|(_, guard)| guard.is_some()) {
            diagnostic = diagnostic.why("an arm with an `if` may not match, so it covers nothing");
        }
        let arms: Vec<String> =
            missing.iter().take(3).map(|missing| format!("{missing} => …")).collect();
        diagnostic = diagnostic.help(format!("add `{}`", arms.join(", ")));
        if missing.len() > 1 {
            diagnostic = diagnostic.help("or one arm for the rest: `_ => …`");
        }
        self.report(diagnostic);
    }

    fn too_complex(&mut self, span: Span) {
        let diagnostic =
            Diagnostic::error("E0410", "this `match` has too many combinations", span, "")
                .why("the compiler could not tell in reasonable time whether every case is matched")
                .help("match one part first, and the rest inside its arms");
        self.report(diagnostic);
    }

    /// Values that match `wanted` and none of `rows`, if there are any.
    fn uncovered(
        &mut self,
        rows: &[Row],
        wanted: &[&Pat],
        types: &[TyId],
        steps: &mut u64,
    ) -> Result<Option<Vec<Pat>>, TooManySteps> {
        *steps += 1 + rows.len() as u64;
        if *steps > MAX_STEPS {
            return Err(TooManySteps);
        }
        let (Some((first, rest)), Some(&ty)) = (wanted.split_first(), types.first()) else {
            return Ok(rows.is_empty().then(Vec::new));
        };
        if rows.iter().any(|row| row.iter().all(|pat| matches!(pat, Pat::Any))) {
            return Ok(None);
        }
        let rows = expand(rows);
        let heads = match first {
            Pat::Or(parts) => {
                for part in parts {
                    let mut wanted = vec![part];
                    wanted.extend_from_slice(rest);
                    if let Some(witness) = self.uncovered(&rows, &wanted, types, steps)? {
                        return Ok(Some(witness));
                    }
                }
                return Ok(None);
            }
            Pat::Is(Head::Range(low, high), _) => intervals(&rows, *low, *high),
            Pat::Is(head, _) => vec![head.clone()],
            Pat::Any => match self.all_heads(ty, &rows) {
                Some(heads) => heads,
                None => {
                    // Of a string or float some value is always left that no row names.
                    let tails: Vec<Row> = rows
                        .iter()
                        .filter(|row| matches!(row[0], Pat::Any))
                        .map(|row| row[1..].to_vec())
                        .collect();
                    let found = self.uncovered(&tails, rest, &types[1..], steps)?;
                    return Ok(found.map(|mut witness| {
                        witness.insert(0, Pat::Any);
                        witness
                    }));
                }
            },
        };
        for head in heads {
            *steps += rows.len() as u64;
            let parts = self.parts_of(&head, ty);
            let arity = parts.len();
            let narrowed: Vec<Row> =
                rows.iter().filter_map(|row| narrow(row, &head, arity)).collect();
            let Some(wanted) = narrow(wanted, &head, arity) else { continue };
            let mut types_after = parts;
            types_after.extend_from_slice(&types[1..]);
            if let Some(mut witness) = self.uncovered(&narrowed, &wanted, &types_after, steps)? {
                let tail = witness.split_off(arity);
                let mut whole = vec![Pat::Is(head, witness)];
                whole.extend(tail);
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    /// Every head that a value of the type can have; `None` if they cannot be listed, or if no row
    /// tells them apart, so that values of a recursive type are followed only as deep as patterns go.
    fn all_heads(&self, ty: TyId, rows: &[Row]) -> Option<Vec<Head>> {
        if rows.iter().all(|row| matches!(row[0], Pat::Any)) {
            return None;
        }
        Some(match self.ty(ty) {
            Ty::Enum(id, _) => {
                (0..self.c.enumeration(*id).variants.len() as u32).map(Head::Variant).collect()
            }
            Ty::Bool => vec![Head::Bool(true), Head::Bool(false)],
            Ty::Optional(_) => vec![Head::Nil, Head::Some],
            Ty::Result(_) => vec![Head::Ok, Head::Err],
            Ty::Tuple(_) => vec![Head::Tuple],
            Ty::Byte => intervals(rows, 0, 255),
            Ty::Int => intervals(rows, i64::MIN, i64::MAX),
            _ => return None,
        })
    }

    fn parts_of(&mut self, head: &Head, ty: TyId) -> Vec<TyId> {
        match (head, self.ty(ty).clone()) {
            (Head::Variant(variant), Ty::Enum(id, args)) => {
                let fields = &self.c.enumeration(id).variants[*variant as usize].fields;
                let types: Vec<TyId> = fields.iter().map(|field| field.ty).collect();
                types.into_iter().map(|ty| self.c.types.substitute(ty, &args)).collect()
            }
            (Head::Some, Ty::Optional(inner)) | (Head::Ok, Ty::Result(inner)) => vec![inner],
            (Head::Err, Ty::Result(_)) => vec![crate::types::Types::STR],
            (Head::Tuple, Ty::Tuple(parts)) => parts,
            _ => vec![],
        }
    }

    /// A missing case in source form.
    fn describe(&self, pat: &Pat, ty: TyId) -> String {
        let Pat::Is(head, parts) = pat else { return "_".to_string() };
        let inner = |part: TyId, index: usize| match parts.get(index) {
            Some(pat) => self.describe(pat, part),
            None => "_".to_string(),
        };
        match (head, self.ty(ty)) {
            (Head::Variant(variant), Ty::Enum(id, args)) => {
                let variant = &self.c.enumeration(*id).variants[*variant as usize];
                if variant.fields.is_empty() {
                    return variant.name.clone();
                }
                let fields: Vec<String> = variant
                    .fields
                    .iter()
                    .enumerate()
                    .map(|(index, field)| {
                        let ty = match self.c.types.get(field.ty) {
                            Ty::Param(position) => args[*position as usize],
                            _ => field.ty,
                        };
                        inner(ty, index)
                    })
                    .collect();
                format!("{}({})", variant.name, fields.join(", "))
            }
            (Head::Bool(value), _) => value.to_string(),
            (Head::Nil, _) => "nil".to_string(),
            (Head::Some, Ty::Optional(part)) => match inner(*part, 0).as_str() {
                "_" => "value".to_string(),
                shown => shown.to_string(),
            },
            (Head::Ok, Ty::Result(part)) => format!("Ok({})", inner(*part, 0)),
            (Head::Err, _) => format!("Err({})", inner(crate::types::Types::STR, 0)),
            (Head::Tuple, Ty::Tuple(types)) => {
                let shown: Vec<String> =
                    types.iter().enumerate().map(|(index, ty)| inner(*ty, index)).collect();
                format!("({})", shown.join(", "))
            }
            (Head::Range(low, high), _) if low == high => low.to_string(),
            // Too many to name: the arm that is missing is the one for the rest.
            _ => "_".to_string(),
        }
    }
}

fn simplify(pattern: &hir::Pattern) -> Pat {
    let all = |parts: &[hir::Pattern]| parts.iter().map(simplify).collect();
    match &pattern.kind {
        PatternKind::Wildcard | PatternKind::Bind(_) => Pat::Any,
        PatternKind::Int(value) => Pat::Is(Head::Range(*value, *value), vec![]),
        PatternKind::Range { low, high } => Pat::Is(Head::Range(*low, *high), vec![]),
        PatternKind::Float(value) => Pat::Is(Head::Other(format!("{value:?}")), vec![]),
        PatternKind::Str(value) => Pat::Is(Head::Other(value.clone()), vec![]),
        PatternKind::Bool(value) => Pat::Is(Head::Bool(*value), vec![]),
        PatternKind::Nil => Pat::Is(Head::Nil, vec![]),
        PatternKind::Some(inner) => Pat::Is(Head::Some, vec![simplify(inner)]),
        PatternKind::Ok(inner) => Pat::Is(Head::Ok, vec![simplify(inner)]),
        PatternKind::Err(inner) => Pat::Is(Head::Err, vec![simplify(inner)]),
        PatternKind::Tuple(parts) => Pat::Is(Head::Tuple, all(parts)),
        PatternKind::Variant { variant, fields } => Pat::Is(Head::Variant(*variant), all(fields)),
        PatternKind::Or(parts) => Pat::Or(all(parts)),
    }
}

/// The rows with alternatives in front written out.
fn expand<'r, 'p>(rows: &'r [Row<'p>]) -> Cow<'r, [Row<'p>]> {
    if !rows.iter().any(|row| matches!(row[0], Pat::Or(_))) {
        return Cow::Borrowed(rows);
    }
    let mut expanded = vec![];
    for row in rows {
        write_out(row, row[0], &mut expanded);
    }
    Cow::Owned(expanded)
}

fn write_out<'p>(row: &Row<'p>, front: &'p Pat, expanded: &mut Vec<Row<'p>>) {
    if let Pat::Or(parts) = front {
        for part in parts {
            write_out(row, part, expanded);
        }
    } else {
        let mut row = row.clone();
        row[0] = front;
        expanded.push(row);
    }
}

/// The row for values of that head, with the head's parts in front; `None` if it matches none.
fn narrow<'p>(row: &[&'p Pat], head: &Head, arity: usize) -> Option<Row<'p>> {
    let mut parts: Row = match row[0] {
        Pat::Any => vec![&ANY; arity],
        Pat::Is(Head::Range(low, high), _) => match head {
            // Intervals are cut so that each lies inside or outside of every row's.
            Head::Range(from, to) if low <= from && to <= high => vec![],
            _ => return None,
        },
        Pat::Is(own, parts) if own == head => parts.iter().collect(),
        Pat::Is(..) | Pat::Or(_) => return None,
    };
    parts.extend_from_slice(&row[1..]);
    Some(parts)
}

/// `low..=high` cut where the rows' intervals begin and end.
fn intervals(rows: &[Row], low: i64, high: i64) -> Vec<Head> {
    let mut starts = vec![i128::from(low)];
    for row in rows {
        if let Pat::Is(Head::Range(from, to), _) = row[0] {
            starts.push(i128::from(*from));
            starts.push(i128::from(*to) + 1);
        }
    }
    starts.retain(|start| (i128::from(low)..=i128::from(high)).contains(start));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([i128::from(high)]);
    starts.iter().zip(ends).map(|(start, end)| Head::Range(*start as i64, end as i64)).collect()
}
