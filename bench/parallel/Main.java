import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringTokenizer;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;

final class Main {
    static final int PARTS = 32;

    record Event(long patient, long value) {}

    record Tree(Tree left, Tree right) {
        static Tree build(int depth) {
            return depth == 0 ? new Tree(null, null) : new Tree(build(depth - 1), build(depth - 1));
        }

        long count() {
            return 1 + (left == null ? 0 : left.count()) + (right == null ? 0 : right.count());
        }
    }

    static final class Total {
        long count;
        long sum;
    }

    /** Runs the parts on as many threads as there are processors, which is what the virtual machine was told. */
    static <T> List<T> each(IntFunction<T> work) throws Exception {
        var pool = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
        var started = new ArrayList<Future<T>>();
        for (int part = 0; part < PARTS; part++) {
            int mine = part;
            started.add(pool.submit(() -> work.apply(mine)));
        }
        var made = new ArrayList<T>();
        for (var future : started) made.add(future.get());
        pool.shutdown();
        return made;
    }

    static void words(String text, int rounds) throws Exception {
        List<Map<String, Integer>> made = each(part -> {
            Map<String, Integer> counts = new HashMap<>();
            for (int round = 0; round < rounds / PARTS; round++) {
                var tokens = new StringTokenizer(text);
                while (tokens.hasMoreTokens()) counts.merge(tokens.nextToken(), 1, Integer::sum);
            }
            return counts;
        });
        var counts = new HashMap<String, Integer>();
        for (var part : made) part.forEach((word, count) -> counts.merge(word, count, Integer::sum));
        long total = counts.values().stream().mapToLong(Integer::longValue).sum();
        System.out.println(counts.size() + " words, " + total + " in all");
    }

    static Map<Long, Total> group(int part, int count) {
        var events = new ArrayList<Event>();
        long x = part + 1;
        for (int i = 0; i < count; i++) {
            x = (x * 1103515245L + 12345) % 2147483648L;
            events.add(new Event(x / 65536 % 5000, x % 1000));
        }
        var groups = new HashMap<Long, List<Event>>();
        for (var e : events) groups.computeIfAbsent(e.patient(), key -> new ArrayList<>()).add(e);
        var totals = new HashMap<Long, Total>();
        groups.forEach((patient, group) -> {
            var total = new Total();
            total.count = group.size();
            for (var e : group) total.sum += e.value();
            totals.put(patient, total);
        });
        return totals;
    }

    static void groups(int events) throws Exception {
        var totals = new HashMap<Long, Total>();
        for (var part : each(part -> group(part, events / PARTS))) {
            part.forEach((patient, more) -> {
                var total = totals.computeIfAbsent(patient, key -> new Total());
                total.count += more.count;
                total.sum += more.sum;
            });
        }
        long count = 0;
        long sum = 0;
        for (var total : totals.values()) {
            count += total.count;
            sum += total.sum;
        }
        System.out.println(totals.size() + " patients, " + count + " events, sum " + sum);
    }

    static void trees(int depth) throws Exception {
        long nodes = 0;
        for (var count : each(part -> {
            long counted = 0;
            for (int round = 0; round < 4; round++) counted += Tree.build(depth).count();
            return counted;
        })) nodes += count;
        System.out.println(nodes + " nodes");
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "words" -> words(Files.readString(Path.of(args[1])), Integer.parseInt(args[2]));
            case "groups" -> groups(Integer.parseInt(args[1]));
            default -> trees(Integer.parseInt(args[1]));
        }
    }
}
