public final class Main {
    static final class Node {
        final Node left, right;
        Node(Node left, Node right) { this.left = left; this.right = right; }
        int check() { return left == null ? 1 : 1 + left.check() + right.check(); }
    }

    static Node make(int depth) {
        return depth == 0 ? new Node(null, null) : new Node(make(depth - 1), make(depth - 1));
    }

    public static void main(String[] args) {
        int maxDepth = Integer.parseInt(args[0]), minDepth = 4;
        System.out.println("stretch tree of depth " + (maxDepth + 1) + "\t check: " + make(maxDepth + 1).check());
        Node longLived = make(maxDepth);
        for (int depth = minDepth; depth <= maxDepth; depth += 2) {
            int iterations = 1 << (maxDepth - depth + minDepth);
            long total = 0;
            for (int i = 0; i < iterations; i++) total += make(depth).check();
            System.out.println(iterations + "\t trees of depth " + depth + "\t check: " + total);
        }
        System.out.println("long lived tree of depth " + maxDepth + "\t check: " + longLived.check());
    }
}
