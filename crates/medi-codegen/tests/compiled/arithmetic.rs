//! Checks that were left out because they seemed needless: random loops over ints and scope memory stop at the same
//! place, or give the same number, as with every check in place.

use medi_check::mir::*;
use medi_check::types::{Ty, TyId, Types};

use crate::build::*;
use crate::machine::{Setup, run_with};
use crate::random::Random;

const INT: TyId = Types::INT;

struct Generator {
    random: Random,
    func: Func,
    ints: Vec<Local>,
    array: Operand,
    scope: ScopeId,
    buffer: Operand,
    view: Operand,
}

impl Generator {
    fn new(seed: u64, array_type: TyId, view_type: TyId) -> Generator {
        let random = Random::new(seed);
        let mut func = Func::new("main", &[INT, INT], INT);
        let len = int(1 + seed as i64 % 9);
        let array = func.let_(array_type, Rvalue::NewArray { ty: array_type, len });
        let scope = func.scope(None);
        func.stmt(StmtKind::ScopeEnter(scope));
        let bytes = int(8 * (1 + seed as i64 % 23));
        let buffer = func.let_(Types::BUFFER, Rvalue::Allocate { scope, bytes });
        let (ty, whole) = (view_type, buffer.clone());
        let view = Rvalue::MakeView { ty, buffer: whole, offset: int(0), len: int(-1) };
        let view = func.let_(view_type, view);
        let ints = vec![Local(0), Local(1)];
        let mut generator = Generator { random, func, ints, array, scope, buffer, view };
        for _ in 0..4 {
            let local = generator.func.local(INT);
            let value = generator.constant();
            generator.func.assign(local, Rvalue::Use(value));
            generator.ints.push(local);
        }
        generator
    }

    /// Small numbers, and the ends of the number line.
    fn constant(&mut self) -> Operand {
        let near = self.random.below(7) as i64 - 3;
        int(match self.random.below(8) {
            0 => i64::MAX - near.abs(),
            1 => i64::MIN + near.abs(),
            2 => 1 << (20 + self.random.below(43)),
            _ => near,
        })
    }

    fn local(&mut self) -> Local {
        self.ints[self.random.below(self.ints.len() as u64) as usize]
    }

    fn operand(&mut self) -> Operand {
        if self.random.below(3) == 0 { self.constant() } else { copy(self.local()) }
    }

    fn block(&mut self, statements: u64, depth: u32) {
        for _ in 0..statements {
            match self.random.below(if depth == 0 { 10 } else { 14 }) {
                0..6 => self.arithmetic(),
                12 => self.memory(),
                13 if self.random.below(8) == 0 => {
                    self.func.stmt(StmtKind::Free(self.buffer.clone()));
                }
                6 => {
                    let into = self.local();
                    self.func.assign(into, Rvalue::ArrayLen(self.array.clone()));
                }
                7 => {
                    let index = copy(self.local());
                    let len = self.func.let_(INT, Rvalue::ArrayLen(self.array.clone()));
                    self.func.stmt(StmtKind::Bounds { index, len });
                }
                8 | 9 if depth == 0 => self.memory(),
                8 | 9 => self.branch(depth),
                10 => self.count(),
                _ => self.repeat(depth),
            }
        }
    }

    /// An access to the view, most often within it.
    fn memory(&mut self) {
        let base = self.view.clone();
        let index = match self.random.below(6) {
            0 => self.operand(),
            _ => {
                let local = copy(self.local());
                self.func.binary(INT, BinaryOp::BitAnd, local, int(self.random.below(8) as i64))
            }
        };
        let local = self.local();
        let kind = match self.random.below(5) {
            0 => StmtKind::Assign(local, Rvalue::ScopeLen(base)),
            1 | 2 => StmtKind::Assign(local, Rvalue::GetScopeElem { base, index }),
            _ => StmtKind::SetScopeElem { base, index, value: copy(local) },
        };
        self.func.stmt(kind);
    }

    fn arithmetic(&mut self) {
        use BinaryOp::*;
        const OPS: [BinaryOp; 14] = [
            AddInt,
            AddInt,
            AddInt,
            SubInt,
            SubInt,
            MulInt,
            DivInt,
            RemInt,
            BitAnd,
            MinInt,
            MaxInt,
            Shr,
            AddUnchecked,
            BitXor,
        ];
        let op = OPS[self.random.below(OPS.len() as u64) as usize];
        let into = self.local();
        let (a, b) = match op {
            Shr => (self.operand(), int(self.random.below(64) as i64)),
            _ => (self.operand(), self.operand()),
        };
        self.func.assign(into, Rvalue::Binary(op, a, b));
    }

    fn comparison(&mut self) -> Operand {
        use Comparison::*;
        let comparison = [Eq, Ne, Lt, Le, Gt, Ge][self.random.below(6) as usize];
        let (a, b) = (copy(self.local()), self.operand());
        self.func.binary(Types::BOOL, BinaryOp::Compare(comparison), a, b)
    }

    fn branch(&mut self, depth: u32) {
        let cond = self.comparison();
        let (then, otherwise, after) = (self.func.block(), self.func.block(), self.func.block());
        self.func.branch(cond, then, otherwise);
        for block in [then, otherwise] {
            self.func.at(block);
            let statements = self.random.below(4);
            self.block(statements, depth - 1);
            self.func.goto(after);
        }
        self.func.at(after);
    }

    /// A loop that ends by its condition, or after some rounds.
    fn repeat(&mut self, depth: u32) {
        let fuel = self.func.local(INT);
        self.func.assign(fuel, Rvalue::Use(int(9)));
        let (head, body, on, after) =
            (self.func.block(), self.func.block(), self.func.block(), self.func.block());
        self.func.goto(head);
        self.func.at(head);
        let cond = self.comparison();
        self.func.branch(cond, body, after);
        self.func.at(body);
        let statements = 1 + self.random.below(4);
        self.block(statements, depth - 1);
        self.func.assign(fuel, Rvalue::Binary(BinaryOp::SubInt, copy(fuel), int(1)));
        let more = BinaryOp::Compare(Comparison::Gt);
        let more = self.func.binary(Types::BOOL, more, copy(fuel), int(0));
        self.func.branch(more, on, after);
        self.func.at(on);
        self.func.stmt(StmtKind::Safepoint);
        self.func.goto(head);
        self.func.at(after);
    }

    /// A loop that counts, and computes with the counter and with what it does not change.
    fn count(&mut self) {
        let known: Vec<_> = (0..4).map(|_| self.operand()).collect();
        let [counter, turns] = [self.func.local(INT), self.func.local(INT)];
        self.func.assign(counter, Rvalue::Use(known[0].clone()));
        self.func.assign(turns, Rvalue::Use(int(0)));
        let mut values = vec![copy(counter)];
        for operand in &known[1..] {
            values.push(self.func.let_(INT, Rvalue::Use(operand.clone())));
        }
        let (head, body, on, after) =
            (self.func.block(), self.func.block(), self.func.block(), self.func.block());
        self.func.goto(head);
        self.func.at(head);
        let below = BinaryOp::Compare(Comparison::Lt);
        let cond = self.func.binary(Types::BOOL, below, copy(counter), values[1].clone());
        self.func.branch(cond, body, after);
        self.func.at(body);
        for _ in 0..2 + self.random.below(3) {
            let ops = [BinaryOp::AddInt, BinaryOp::SubInt, BinaryOp::MulInt];
            let op = ops[self.random.below(3) as usize];
            let [a, b] = [0; 2].map(|_| self.random.below(values.len() as u64) as usize);
            values.push(self.func.binary(INT, op, values[a].clone(), values[b].clone()));
        }
        let last = values.pop().expect("an operation");
        let into = self.local();
        self.func.assign(into, Rvalue::Binary(BinaryOp::BitXor, copy(into), last));
        self.memory();
        self.func.assign(counter, Rvalue::Binary(BinaryOp::AddInt, copy(counter), int(1)));
        self.func.assign(turns, Rvalue::Binary(BinaryOp::AddInt, copy(turns), int(1)));
        let more = self.func.binary(Types::BOOL, below, copy(turns), int(9));
        self.func.branch(more, on, after);
        self.func.at(on);
        self.func.stmt(StmtKind::Safepoint);
        self.func.goto(head);
        self.func.at(after);
    }

    fn finish(mut self) -> Func {
        self.block(8, 3);
        let mut sum = int(0);
        for local in self.ints.clone() {
            let high = self.func.binary(INT, BinaryOp::Shl, sum, int(7));
            sum = self.func.binary(INT, BinaryOp::BitXor, high, copy(local));
        }
        self.func.stmt(StmtKind::ScopeExit(self.scope));
        self.func.ret(sum);
        self.func
    }
}

/// The number, or the error with its line.
fn outcome(program: &Program, args: &[u64], check_all: bool) -> Result<i64, (&'static str, u32)> {
    let mut setup = Setup { args: args.to_vec(), stack: 4 << 20, ..Setup::default() };
    setup.heap.reserve = Some(64 << 20);
    setup.code.check_all_arithmetic = check_all;
    let answer = run_with(program, &setup);
    match &answer.stop {
        None => Ok(answer.int()),
        Some(_) => Err((answer.error().code, answer.error().stack[0].line)),
    }
}

#[test]
fn checks_that_are_left_out_would_not_have_failed() {
    let seeds = std::env::var("MEDI_FUZZ_SEEDS").ok();
    let seeds = seeds.map_or(40, |text| text.parse().expect("MEDI_FUZZ_SEEDS is a number"));
    for seed in 1..=seeds {
        let mut build = Build::default();
        let array = build.ty(Ty::Array(INT));
        let view = build.ty(Ty::View(INT));
        let program = build.main(Generator::new(seed, array, view).finish());
        for args in [[0, 1], [seed, u64::MAX], [i64::MAX as u64 - 1, 5]] {
            let wanted = outcome(&program, &args, true);
            assert_eq!(outcome(&program, &args, false), wanted, "seed {seed}, {args:?}");
        }
    }
}
