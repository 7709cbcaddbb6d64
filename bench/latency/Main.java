// The same stores as main.medi, measured in the same way.

import java.util.Arrays;

public class Main {
    static final int EVENTS_OF_A_PATIENT = 8;
    static final int CHURN_BATCH = 64;
    static final int ARRAY_BYTES = 1024;

    public static void main(String[] args) {
        int size = Integer.parseInt(args[1]);
        long operations = Long.parseLong(args[2]);
        if (args[0].equals("churn")) {
            Churn events = new Churn(size);
            measure(events::batch, CHURN_BATCH, operations);
            System.out.println("checksum " + events.checksum);
        } else {
            Window arrays = new Window(size);
            measure(arrays::push, 1, operations);
            System.out.println("checksum " + arrays.checksum);
        }
    }

    // ---- churn ----

    static final class Event {
        final long time;
        final long code;
        final double value;
        Event next;

        Event(long time, long code, double value, Event next) {
            this.time = time;
            this.code = code;
            this.value = value;
            this.next = next;
        }
    }

    static final class Churn {
        final Event[] patients;
        long time = 0;
        long random = 2463534242L;
        long checksum = 0;

        Churn(int events) {
            patients = new Event[events / EVENTS_OF_A_PATIENT];
            for (int round = 0; round < EVENTS_OF_A_PATIENT; round++) {
                for (int i = 0; i < patients.length; i++) {
                    patients[i] = event(draw(), patients[i]);
                }
            }
        }

        Event event(long drawn, Event next) {
            time += 1;
            long code = drawn & 65535;
            return new Event(time, code, code * 0.5, next);
        }

        void batch() {
            for (int i = 0; i < CHURN_BATCH; i++) {
                replace();
            }
        }

        void replace() {
            long drawn = draw();
            long slot = (drawn >>> 1) % ((long) patients.length * EVENTS_OF_A_PATIENT);
            int patient = (int) (slot / EVENTS_OF_A_PATIENT);
            long position = slot % EVENTS_OF_A_PATIENT;
            Event event = patients[patient];
            if (position == 0) {
                patients[patient] = event(drawn, event.next);
                checksum += event.code;
            } else {
                for (long i = 1; i < position; i++) {
                    event = event.next;
                }
                Event old = event.next;
                event.next = event(drawn, old.next);
                checksum += old.code;
            }
        }

        // The next number of Marsaglia's xorshift with 32 bits.
        long draw() {
            long x = random;
            x ^= x << 13 & 0xffffffffL;
            x ^= x >>> 17;
            x ^= x << 5 & 0xffffffffL;
            random = x;
            return x;
        }
    }

    // ---- window ----

    static final class Window {
        final byte[][] ring;
        long pushed = 0;
        long checksum = 0;

        Window(int arrays) {
            ring = new byte[arrays][];
            for (int i = 0; i < arrays; i++) {
                ring[i] = array();
            }
        }

        byte[] array() {
            pushed += 1;
            byte[] array = new byte[ARRAY_BYTES];
            Arrays.fill(array, (byte) pushed);
            return array;
        }

        void push() {
            int oldest = (int) (pushed % ring.length);
            checksum += ring[oldest][ARRAY_BYTES - 1] & 255;
            ring[oldest] = array();
        }
    }

    // ---- measuring ----

    static void measure(Runnable batch, int batchLen, long operations) {
        if (operations == 0) {
            System.gc();
            Runtime runtime = Runtime.getRuntime();
            System.out.println("live " + (runtime.totalMemory() - runtime.freeMemory()));
            return;
        }
        long batches = operations / batchLen;
        Latencies warmUp = new Latencies(), latencies = new Latencies();
        warmUp.time(batch, batches / 4);
        long started = System.nanoTime();
        latencies.time(batch, batches);
        long ended = System.nanoTime();
        System.out.println("operations " + batches * batchLen);
        System.out.println("nanoseconds " + (ended - started));
        latencies.show();
    }

    static final class Latencies {
        final long[] counts = new long[2048];
        long longest = 0;

        void time(Runnable batch, long batches) {
            long last = System.nanoTime();
            for (long i = 0; i < batches; i++) {
                batch.run();
                long now = System.nanoTime();
                add(now - last);
                last = now;
            }
        }

        void add(long duration) {
            longest = Math.max(longest, duration);
            int bucket = 0;
            while (duration >= 64) {
                duration >>>= 1;
                bucket += 32;
            }
            counts[bucket + (int) duration] += 1;
        }

        void show() {
            System.out.println("longest " + longest);
            for (int bucket = 0; bucket < counts.length; bucket++) {
                if (counts[bucket] > 0) {
                    System.out.println("bucket " + bucket + " " + counts[bucket]);
                }
            }
        }
    }
}
