//! Text: interpolation and `print`.
//!
//! The runtime has one builder a thread. Every value is evaluated before the builder begins, so that
//! builders never nest and nothing of the program runs between its begin and its end.

use medi_syntax::ast::{Align, FormatSpec};
use medi_syntax::source::Span;

use super::expr::int;
use super::func::Body;
use crate::hir::Piece;
use crate::mir::{Const, NativeParam, Operand, Rvalue};
use crate::types::{TyId, Types};

/// A piece whose value is evaluated.
enum Ready<'h> {
    Text(&'h str),
    Value { value: Operand, ty: TyId, format: Option<&'h FormatSpec>, span: Span },
}

impl<'h> Body<'_, 'h> {
    pub fn interpolate(&mut self, pieces: &'h [Piece], span: Span) -> Rvalue {
        let pieces = self.ready(pieces);
        match &pieces[..] {
            [] => return Rvalue::Use(self.text("")),
            [Ready::Text(text)] => return Rvalue::Use(self.text(text)),
            [Ready::Value { value, ty: Types::STR, format: None, .. }] => {
                return Rvalue::Use(value.clone());
            }
            _ => {}
        }
        self.build(pieces, span);
        self.plain_native("fmt_end", &[], Types::STR, vec![], span)
    }

    pub fn print(&mut self, pieces: &'h [Piece], span: Span) {
        let pieces = self.ready(pieces);
        self.build(pieces, span);
        let print = self.plain_native("fmt_print", &[], Types::UNIT, vec![], span);
        self.temp_of(print, Types::UNIT, span);
    }

    fn ready(&mut self, pieces: &'h [Piece]) -> Vec<Ready<'h>> {
        let exprs = pieces.iter().filter_map(|piece| match piece {
            Piece::Value { value, .. } => Some(value),
            Piece::Text(_) => None,
        });
        let mut values = self.values(exprs).into_iter();
        let mut ready = vec![];
        for piece in pieces {
            ready.push(match piece {
                Piece::Text(text) => Ready::Text(text),
                Piece::Value { value: expr, format } => Ready::Value {
                    value: values.next().expect("one value for each piece"),
                    ty: self.expr_ty(expr),
                    format: format.as_ref(),
                    span: expr.span,
                },
            });
        }
        ready
    }

    fn build(&mut self, pieces: Vec<Ready<'h>>, span: Span) {
        let begin = self.plain_native("fmt_begin", &[], Types::UNIT, vec![], span);
        self.temp_of(begin, Types::UNIT, span);
        for piece in pieces {
            let (append, span) = match piece {
                Ready::Text(text) => (self.append_text(text, span), span),
                Ready::Value { value, ty: Types::STR, format: None, span } => (
                    self.plain_native("fmt_text", &[Types::STR], Types::UNIT, vec![value], span),
                    span,
                ),
                Ready::Value { value: Operand::Const(Const::Unit), span, .. } => {
                    (self.append_text("()", span), span)
                }
                Ready::Value { value, ty, format, span } => {
                    (self.append_value(value, ty, format, span), span)
                }
            };
            self.temp_of(append, Types::UNIT, span);
        }
    }

    fn append_text(&mut self, text: &str, span: Span) -> Rvalue {
        let text = self.text(text);
        self.plain_native("fmt_text", &[Types::STR], Types::UNIT, vec![text], span)
    }

    fn append_value(
        &mut self,
        value: Operand,
        ty: TyId,
        format: Option<&FormatSpec>,
        span: Span,
    ) -> Rvalue {
        let given = |number: Option<u32>| int(number.map_or(-1, i64::from));
        let align = match format.and_then(|format| format.align) {
            None => 0,
            Some(Align::Left) => 1,
            Some(Align::Centre) => 2,
            Some(Align::Right) => 3,
        };
        let width = given(format.and_then(|format| format.width));
        let precision = given(format.and_then(|format| format.precision));
        let whole = NativeParam::Plain(Types::INT);
        let params = vec![NativeParam::Shaped(ty), whole, whole, whole];
        let native = self.native("fmt_value", params, Types::UNIT, span);
        Rvalue::CallNative { native, args: vec![value, int(align), width, precision] }
    }
}
