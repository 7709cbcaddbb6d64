/*
 * The collector's protocol: handshakes, flip, log, rounds, young and full cycles.
 *
 * Theorem, as assertions: no object that a thread can reach is freed; and after each cycle, every old object that
 * refers to a young one is in a log. docs/model.md tells what is left out, and what each PLANT breaks.
 *
 * Each label below names the code that it stands for.
 */

#ifndef OBJECTS
#define OBJECTS 3
#endif
/* Of each thread. */
#ifndef OPERATIONS_0
#define OPERATIONS_0 3
#endif
#ifndef OPERATIONS_1
#define OPERATIONS_1 3
#endif
#ifndef CYCLES
#define CYCLES 2
#endif
#define THREADS 2
#define NIL 15

#define IDLE 0
#define SHADING 1
#define TRANSITION 2
#define MARKING 3

#define SHADE 0
#define BEGIN 1
#define FLIP 2
#define HAND_OVER 3
#define END 4

#define BIT(o) (1 << (o))

/* Objects: one reference each. `colour` is the epoch of allocation, or of the last log entry; `born` that of its block. */
byte field[OBJECTS];
bool used[OBJECTS];
bool marked[OBJECTS];
byte born[OBJECTS];
byte colour[OBJECTS];

/* Threads: two registers, which are their roots, and what compiled code and barrier know. */
byte a[THREADS];
byte b[THREADS];
byte phase[THREADS];
byte epoch[THREADS];
byte log_epoch[THREADS];
byte own_written[THREADS];
byte own_shades[THREADS];

/* What was handed over: sets of objects. */
byte written[2];
byte shades;

byte request;
bool pending[THREADS];

inline set_of(o) {
  if
  :: o != NIL -> set = set | BIT(o)
  :: else
  fi
}

/* Seat::act. A thread in native state does the same, only that the collector does it. */
inline act(m) {
  d_step {
    if
    :: request == SHADE ->
      phase[m] = SHADING
    :: request == BEGIN ->
      written[log_epoch[m] % 2] = written[log_epoch[m] % 2] | own_written[m];
      own_written[m] = 0;
      log_epoch[m] = epoch[m] + 1;
      phase[m] = TRANSITION
    :: request == FLIP ->
      set = own_shades[m];
      set_of(a[m]);
      set_of(b[m]);
      shades = shades | set;
      set = 0;
      own_shades[m] = 0;
      epoch[m] = log_epoch[m];
      phase[m] = MARKING
    :: request == HAND_OVER ->
      shades = shades | own_shades[m];
      own_shades[m] = 0
    :: request == END ->
      own_shades[m] = 0;
      phase[m] = IDLE
    fi;
    pending[m] = false
  }
}

/* Inner::allocate: the first object that is free, into a register, with a first reference that needs no barrier. */
inline allocate(m, register, reference) {
  d_step {
    o = 0;
    do
    :: o < OBJECTS && used[o] -> o++
    :: else -> break
    od;
    if
    :: o < OBJECTS ->
      used[o] = true;
      field[o] = reference;
      marked[o] = false;
      born[o] = epoch[m];
      colour[o] = epoch[m];
#ifndef PLANT_TRANSITION_FORGOTTEN
      if
      :: phase[m] == TRANSITION -> own_written[m] = own_written[m] | BIT(o)
      :: else
      fi;
#endif
      register = o
    :: else
    fi;
    o = 0
  }
}

/* Barrier::slow_path, and the store of b into the object in a. Each step may be followed by other threads'. */
inline store(m) {
  if
  :: (phase[m] == IDLE || phase[m] == MARKING) && colour[a[m]] == epoch[m] -> skip
  :: else ->
    if
    :: colour[a[m]] != log_epoch[m] ->
#ifdef PLANT_EARLY_COLOUR
      colour[a[m]] = log_epoch[m];
#endif
      old = field[a[m]];
#ifndef PLANT_NO_SNAPSHOT
      atomic {
        if
        :: phase[m] != IDLE && old != NIL -> own_shades[m] = own_shades[m] | BIT(old)
        :: else
        fi;
        old = 0
      };
#endif
      own_written[m] = own_written[m] | BIT(a[m]);
      colour[a[m]] = log_epoch[m]
    :: else
    fi;
#ifndef PLANT_NO_SHADE
    if
    :: (phase[m] == SHADING || phase[m] == TRANSITION) && b[m] != NIL -> own_shades[m] = own_shades[m] | BIT(b[m])
    :: else
    fi
#endif
  fi;
  field[a[m]] = b[m]
}

proctype thread(byte m; byte most) {
  byte o = 0, old = 0, operations = 0, set = 0;
  do
  :: pending[m] -> act(m)
  :: operations < most ->
    operations++;
    if
    :: atomic { a[m] != NIL -> b[m] = field[a[m]] }
    :: atomic { b[m] != NIL -> a[m] = b[m] }
    :: b[m] = NIL
    :: allocate(m, b[m], NIL)
    :: allocate(m, a[m], b[m])
    :: a[m] != NIL -> store(m)
    fi
  :: operations == most && !pending[m] -> break
  od;
  /* Handlers of a thread that does nothing more. */
  end: do
  :: pending[m] -> act(m)
  od
}

/* Handshakes::handshake. */
inline pass(what) {
  d_step {
    request = what;
    pending[0] = true;
    pending[1] = true
  };
  !pending[0] && !pending[1]
}

/* Marker::drain. */
inline drain() {
  do
  :: atomic {
      (grey | shades) != 0 ->
      grey = grey | shades;
      shades = 0;
      x = 0;
      do
      :: (grey & BIT(x)) == 0 -> x++
      :: else -> break
      od;
      grey = grey & ~BIT(x)
    };
    if
    :: d_step { used[x] && !marked[x] && born[x] < flip -> marked[x] = true; found++ };
      /* What the object refers to is read later than it is marked. */
      atomic {
        if
        :: field[x] != NIL -> grey = grey | BIT(field[x])
        :: else
        fi
      }
    :: else
    fi
  :: else -> break
  od
}

/* All that threads can reach, into `reached`. */
inline reach() {
  reached = 0;
  x = 0;
  do
  :: x < THREADS ->
    if :: a[x] != NIL -> reached = reached | BIT(a[x]) :: else fi;
    if :: b[x] != NIL -> reached = reached | BIT(b[x]) :: else fi;
    x++
  :: else -> break
  od;
  y = 0;
  do
  :: y < OBJECTS ->
    x = 0;
    do
    :: x < OBJECTS ->
      if
      :: (reached & BIT(x)) != 0 && field[x] != NIL -> reached = reached | BIT(field[x])
      :: else
      fi;
      x++
    :: else -> break
    od;
    y++
  :: else -> break
  od
}

/* Cycle::sort, for which one moment stands: it frees what no thread may reach at any later one either. */
inline sweep() {
  d_step {
    reach();
    x = 0;
    do
    :: x < OBJECTS ->
      if
      :: used[x] && born[x] < flip && !marked[x] ->
        assert((reached & BIT(x)) == 0);   /* No object that a thread can reach is freed. */
        used[x] = false;
        field[x] = NIL
      :: else
      fi;
      x++
    :: else -> break
    od;
    /* Old objects that refer to young ones are in a log. */
    x = 0;
    do
    :: x < OBJECTS ->
      if
      :: (reached & BIT(x)) != 0 && marked[x] && field[x] != NIL && !marked[field[x]] ->
        assert(((written[flip % 2] | own_written[0] | own_written[1]) & BIT(x)) != 0)
      :: else
      fi;
      x++
    :: else -> break
    od;
    x = 0; y = 0; reached = 0
  }
}

proctype collector() {
  byte flip = 0, cycle = 0, x = 0, y = 0, grey = 0, reached = 0, from = 0;
  byte found = 0, before = 0;
  bool whole = true;
  do
  :: cycle < CYCLES ->
    cycle++;
    found = 0;
    if
    :: whole = true
    :: cycle > 1 -> whole = false
    fi;
    if
    :: whole -> d_step {
        x = 0;
        do
        :: x < OBJECTS -> marked[x] = false; x++
        :: else -> break
        od;
        x = 0
      }
    :: else
    fi;
#ifndef PLANT_NO_SHADE_FIRST
    pass(SHADE);
#endif
#ifndef PLANT_ONE_HANDSHAKE
    pass(BEGIN);
    flip++;
    d_step { from = written[(flip - 1) % 2]; written[(flip - 1) % 2] = 0 };
    pass(FLIP);
#else
    flip++;
    /* Each thread hands over its log and flips at once. */
    d_step { request = BEGIN; pending[0] = true };
    !pending[0];
    d_step { request = FLIP; pending[0] = true };
    !pending[0];
    d_step { request = BEGIN; pending[1] = true };
    !pending[1];
    d_step { request = FLIP; pending[1] = true };
    !pending[1];
    d_step { from = written[(flip - 1) % 2]; written[(flip - 1) % 2] = 0 };
#endif
    /* Cycle::rescan. */
    if
    :: !whole ->
      y = 0;
      do
      :: y < OBJECTS ->
        atomic {
          if
          :: (from & BIT(y)) != 0 && used[y] && marked[y] && field[y] != NIL ->
            grey = grey | BIT(field[y])
          :: else
          fi;
          y++
        }
      :: else -> break
      od;
      y = 0
    :: else
    fi;
    from = 0;
    drain();
#ifndef PLANT_NO_ROUND
    do
    :: before = found;
      pass(HAND_OVER);
      drain();
      if
      :: found == before -> break
      :: else
      fi
    od;
#endif
    before = 0;
    pass(END);
    shades = 0;
    sweep()
  :: else -> break
  od
}

init {
  atomic {
    byte i = 0;
    do
    :: i < OBJECTS -> field[i] = NIL; i++
    :: else -> break
    od;
    /* Both threads know an object that refers to another. */
    used[0] = true;
    used[1] = true;
    field[0] = 1;
    a[0] = 0; a[1] = 0;
    b[0] = NIL; b[1] = NIL;
    run thread(0, OPERATIONS_0);
    run thread(1, OPERATIONS_1);
    run collector()
  }
}
