//! What the lowering relies on in a checked tree: no open types, and the types of parts that fit.

use medi_check::hir::{
    Arm, Body, Cond, Conversion, Expr, ExprKind, Func, Iter, Pattern, PatternKind, Piece, Program,
    Stmt, StmtKind,
};
use medi_check::types::{Ty, TyId, Types};

/// # Panics
/// If the tree is not well formed.
pub(super) fn verify(program: &Program) {
    for func in &program.funcs {
        if let Body::Checked(body) = &func.body {
            let mut tree = Tree { program, types: program.types.clone(), func };
            for local in &func.locals {
                tree.closed(local.ty, &local.name);
            }
            assert!(
                body.ty == Types::NEVER || body.ty == func.result || func.result == Types::UNIT,
                "{} gives {:?}",
                func.name,
                tree.types.get(body.ty)
            );
            tree.expr(body);
        }
    }
}

struct Tree<'p> {
    program: &'p Program,
    types: Types,
    func: &'p Func,
}

impl Tree<'_> {
    fn closed(&self, ty: TyId, what: &str) {
        let name = &self.func.name;
        assert!(!self.types.open(ty), "open type of {what} in {name}");
        assert!(!self.holds_error(ty), "wrong type of {what} in {name}");
    }

    fn holds_error(&self, ty: TyId) -> bool {
        let ty = self.types.get(ty);
        *ty == Ty::Error || ty.parts().any(|part| self.holds_error(part))
    }

    #[track_caller]
    fn same(&self, have: TyId, want: TyId, what: &str) {
        let (a, b) = (self.types.get(have), self.types.get(want));
        assert!(have == want, "{what} in {}: {a:?} where {b:?} is wanted", self.func.name);
    }

    fn all(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.closed(expr.ty, "an expression");
        match &expr.kind {
            ExprKind::Int(_) => assert!([Types::INT, Types::BYTE].contains(&expr.ty)),
            ExprKind::Float(_) => self.same(expr.ty, Types::FLOAT, "a float"),
            ExprKind::Bool(_) => self.same(expr.ty, Types::BOOL, "a bool"),
            ExprKind::Str(_) => self.same(expr.ty, Types::STR, "a string"),
            ExprKind::Nil => assert!(matches!(self.types.get(expr.ty), Ty::Optional(_))),
            ExprKind::Unit => self.same(expr.ty, Types::UNIT, "nothing"),
            ExprKind::Local(local) => {
                self.same(expr.ty, self.func.locals[local.0 as usize].ty, "a local");
            }
            ExprKind::FuncValue { func, type_args } => {
                let callee = &self.program.funcs[func.0 as usize];
                assert_eq!(callee.type_params, type_args.len());
                assert!(!matches!(callee.body, Body::Unchecked), "{}", callee.name);
            }
            ExprKind::Closure { body, .. } => {
                let Ty::Func { result, .. } = *self.types.get(expr.ty) else { panic!("a closure") };
                if body.ty != Types::NEVER {
                    self.same(body.ty, result, "a closure's body");
                }
                self.expr(body);
            }
            ExprKind::Call { func, type_args, args } => {
                let callee = &self.program.funcs[func.0 as usize];
                assert!(!matches!(callee.body, Body::Unchecked), "{}", callee.name);
                assert_eq!(callee.type_params, type_args.len(), "{}", callee.name);
                assert_eq!(callee.params.len(), args.len(), "{}", callee.name);
                for ty in type_args {
                    self.closed(*ty, "a type argument");
                }
                for (arg, param) in args.iter().zip(&callee.params) {
                    let wanted = callee.locals[param.0 as usize].ty;
                    let wanted = self.types.substitute(wanted, type_args);
                    self.same(arg.ty, wanted, &format!("an argument of {}", callee.name));
                    self.expr(arg);
                }
                let result = self.types.substitute(callee.result, type_args);
                self.same(expr.ty, result, &format!("the result of {}", callee.name));
            }
            ExprKind::CallValue { callee, args } => {
                self.expr(callee);
                self.all(args);
                let Ty::Func { params, result } = self.types.get(callee.ty).clone() else {
                    panic!("a function value")
                };
                let given: Vec<TyId> = args.iter().map(|arg| arg.ty).collect();
                assert_eq!(given, params);
                self.same(expr.ty, result, "a call of a value");
            }
            ExprKind::Intrinsic { args, .. } => self.all(args),
            ExprKind::Convert { conversion, value } => {
                self.expr(value);
                let have = self.types.get(value.ty).clone();
                match conversion {
                    Conversion::IntToFloat => self.same(value.ty, Types::INT, "an int"),
                    Conversion::ByteToInt => self.same(value.ty, Types::BYTE, "a byte"),
                    Conversion::ToOptional => {
                        let wanted = self.types.intern(Ty::Optional(value.ty));
                        self.same(expr.ty, wanted, "an optional");
                        assert!(!matches!(have, Ty::Optional(_)));
                    }
                    Conversion::UnwrapResult => match have {
                        Ty::Result(inner) => self.same(expr.ty, inner, "a result's value"),
                        other => panic!("{other:?} is no result"),
                    },
                    Conversion::FromNever => self.same(value.ty, Types::NEVER, "never"),
                }
            }
            ExprKind::Neg(value) => {
                self.expr(value);
                self.same(value.ty, expr.ty, "a negation");
            }
            ExprKind::Not(value) => {
                self.expr(value);
                self.same(value.ty, Types::BOOL, "a negation");
            }
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
                self.same(left.ty, right.ty, "operands");
            }
            ExprKind::Coalesce { left, right } => {
                self.expr(left);
                self.expr(right);
                let Ty::Optional(inner) = *self.types.get(left.ty) else { panic!("an optional") };
                assert!(right.ty == inner || right.ty == left.ty);
                self.same(expr.ty, right.ty, "a default");
            }
            ExprKind::OptionalChain { value, local, body } => {
                self.expr(value);
                self.expr(body);
                let Ty::Optional(inner) = *self.types.get(value.ty) else { panic!("an optional") };
                self.same(self.func.locals[local.0 as usize].ty, inner, "a chain's value");
                self.same(body.ty, expr.ty, "a chain");
                assert!(matches!(self.types.get(expr.ty), Ty::Optional(_)));
            }
            ExprKind::Assert(value) => {
                self.expr(value);
                let Ty::Optional(inner) = *self.types.get(value.ty) else { panic!("an optional") };
                self.same(expr.ty, inner, "an assertion");
            }
            ExprKind::Try(value) => {
                self.expr(value);
                let Ty::Result(inner) = *self.types.get(value.ty) else { panic!("a result") };
                self.same(expr.ty, inner, "a result's value");
            }
            ExprKind::Ok(value) => {
                self.expr(value);
                let wanted = self.types.intern(Ty::Result(value.ty));
                self.same(expr.ty, wanted, "a result");
            }
            ExprKind::Fail(message) => {
                self.expr(message);
                self.same(message.ty, Types::STR, "a message");
                assert!(matches!(self.types.get(expr.ty), Ty::Result(_)));
            }
            ExprKind::NewOwn { fields, .. } => {
                assert!(matches!(self.types.get(expr.ty), Ty::Own(_)));
                fields.iter().for_each(|(_, value)| self.expr(value));
            }
            ExprKind::NewRecord { fields } => {
                let Ty::Record(id, args) = self.types.get(expr.ty).clone() else {
                    panic!("a record")
                };
                let declared = &self.program.records[id.0 as usize].fields;
                assert_eq!(declared.len(), fields.len());
                for (index, value) in fields {
                    self.expr(value);
                    let wanted = self.types.substitute(declared[*index as usize].ty, &args);
                    self.same(value.ty, wanted, "a field");
                }
            }
            ExprKind::NewVariant { variant, fields } => {
                let Ty::Enum(id, args) = self.types.get(expr.ty).clone() else { panic!("an enum") };
                let program = self.program;
                let declared = &program.enums[id.0 as usize].variants[*variant as usize].fields;
                assert_eq!(declared.len(), fields.len());
                for (index, value) in fields {
                    self.expr(value);
                    let wanted = self.types.substitute(declared[*index as usize].ty, &args);
                    self.same(value.ty, wanted, "a variant's field");
                }
            }
            ExprKind::Tuple(parts) => {
                self.all(parts);
                let types: Vec<TyId> = parts.iter().map(|part| part.ty).collect();
                assert_eq!(*self.types.get(expr.ty), Ty::Tuple(types));
            }
            ExprKind::List(items) => {
                self.all(items);
                let Ty::Record(_, args) = self.types.get(expr.ty).clone() else { panic!("a list") };
                for item in items {
                    self.same(item.ty, args[0], "an element");
                }
            }
            ExprKind::Map(entries) => {
                let Ty::Record(_, args) = self.types.get(expr.ty).clone() else { panic!("a map") };
                for (key, value) in entries {
                    self.expr(key);
                    self.expr(value);
                    self.same(key.ty, args[0], "a key");
                    self.same(value.ty, args[1], "a value");
                }
            }
            ExprKind::Field { base, field } => {
                self.expr(base);
                let record = match self.types.get(base.ty) {
                    Ty::Own(record) | Ty::Shared(record) => *record,
                    _ => base.ty,
                };
                let Ty::Record(id, args) = self.types.get(record).clone() else {
                    panic!("a record")
                };
                let declared = self.program.records[id.0 as usize].fields[*field as usize].ty;
                let wanted = self.types.substitute(declared, &args);
                self.same(expr.ty, wanted, "a field");
            }
            ExprKind::TupleField { base, index } => {
                self.expr(base);
                let Ty::Tuple(parts) = self.types.get(base.ty).clone() else { panic!("a tuple") };
                self.same(expr.ty, parts[*index as usize], "a part");
            }
            ExprKind::Index { base, index } => {
                self.expr(base);
                self.expr(index);
            }
            ExprKind::Interpolate(pieces) | ExprKind::Print(pieces) => {
                for piece in pieces {
                    if let Piece::Value { value, .. } = piece {
                        self.expr(value);
                    }
                }
            }
            ExprKind::If { cond, then, otherwise } => {
                self.cond(cond);
                self.expr(then);
                self.branch(then, expr.ty);
                match otherwise {
                    Some(otherwise) => {
                        self.expr(otherwise);
                        self.branch(otherwise, expr.ty);
                    }
                    None => self.same(expr.ty, Types::UNIT, "an if without else"),
                }
            }
            ExprKind::Match { subject, arms } => {
                self.expr(subject);
                for Arm { pattern, guard, body } in arms {
                    self.same(pattern.ty, subject.ty, "a pattern");
                    self.pattern(pattern);
                    if let Some(guard) = guard {
                        self.expr(guard);
                        self.same(guard.ty, Types::BOOL, "a guard");
                    }
                    self.expr(body);
                    self.branch(body, expr.ty);
                }
            }
            ExprKind::Block { stmts, value } => {
                for stmt in stmts {
                    self.stmt(stmt);
                }
                if let Some(value) = value {
                    self.expr(value);
                    self.branch(value, expr.ty);
                }
            }
            ExprKind::Scope { body, .. } => {
                self.expr(body);
                self.same(body.ty, expr.ty, "a scope");
            }
            ExprKind::Return(value) => {
                self.same(expr.ty, Types::NEVER, "a return");
                if let Some(value) = value {
                    self.expr(value);
                }
            }
            ExprKind::Break | ExprKind::Continue => self.same(expr.ty, Types::NEVER, "a jump"),
        }
    }

    /// A branch has the type of the whole; the whole may be `Never` around a branch that is not only
    /// if something before it leaves.
    fn branch(&self, branch: &Expr, whole: TyId) {
        if whole != Types::NEVER {
            self.same(branch.ty, whole, "a branch");
        }
    }

    fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::Expr(expr) => {
                self.expr(expr);
                self.same(expr.ty, Types::BOOL, "a condition");
            }
            Cond::Let { pattern, value } => {
                self.expr(value);
                self.pattern(pattern);
                self.same(pattern.ty, value.ty, "a pattern");
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { pattern, value } => {
                self.expr(value);
                self.pattern(pattern);
                self.same(value.ty, pattern.ty, "a let");
            }
            StmtKind::Assign { target, op, value } => {
                self.expr(target);
                self.expr(value);
                if op.is_none() {
                    self.same(value.ty, target.ty, "an assignment");
                }
            }
            StmtKind::Expr(expr) => self.expr(expr),
            StmtKind::While { cond, body } => {
                self.cond(cond);
                self.expr(body);
            }
            StmtKind::For { pattern, iter, body } => {
                self.pattern(pattern);
                match iter {
                    Iter::Range { start, end, .. } => {
                        self.expr(start);
                        self.expr(end);
                        self.same(start.ty, Types::INT, "a range");
                        self.same(end.ty, Types::INT, "a range");
                        self.same(pattern.ty, Types::INT, "a range");
                    }
                    Iter::List(value) | Iter::Map(value) | Iter::View(value) => self.expr(value),
                }
                self.expr(body);
            }
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        self.closed(pattern.ty, "a pattern");
        let ty = self.types.get(pattern.ty).clone();
        match (&pattern.kind, ty) {
            (PatternKind::Wildcard, _) => {}
            (PatternKind::Bind(local), _) => {
                self.same(self.func.locals[local.0 as usize].ty, pattern.ty, "a binding");
            }
            (PatternKind::Int(_) | PatternKind::Range { .. }, Ty::Int | Ty::Byte) => {}
            (PatternKind::Float(_), Ty::Float) => {}
            (PatternKind::Bool(_), Ty::Bool) => {}
            (PatternKind::Str(_), Ty::Str) => {}
            (PatternKind::Nil, Ty::Optional(_)) => {}
            (PatternKind::Some(inner), Ty::Optional(ty)) => {
                self.same(inner.ty, ty, "a pattern");
                self.pattern(inner);
            }
            (PatternKind::Ok(inner), Ty::Result(ty)) => {
                self.same(inner.ty, ty, "a pattern");
                self.pattern(inner);
            }
            (PatternKind::Err(inner), Ty::Result(_)) => {
                self.same(inner.ty, Types::STR, "a pattern");
                self.pattern(inner);
            }
            (PatternKind::Tuple(parts), Ty::Tuple(types)) => {
                assert_eq!(parts.len(), types.len());
                for (part, ty) in parts.iter().zip(types) {
                    self.same(part.ty, ty, "a pattern");
                    self.pattern(part);
                }
            }
            (PatternKind::Variant { variant, fields }, Ty::Enum(id, args)) => {
                let program = self.program;
                let declared = &program.enums[id.0 as usize].variants[*variant as usize].fields;
                assert_eq!(declared.len(), fields.len());
                for (field, declared) in fields.iter().zip(declared) {
                    let wanted = self.types.substitute(declared.ty, &args);
                    self.same(field.ty, wanted, "a pattern");
                    self.pattern(field);
                }
            }
            (PatternKind::Or(parts), _) => {
                for part in parts {
                    self.same(part.ty, pattern.ty, "an alternative");
                    self.pattern(part);
                }
            }
            (kind, ty) => panic!("{kind:?} on {ty:?}"),
        }
    }
}
