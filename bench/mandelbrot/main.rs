fn main() {
    let n: i64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut inside = 0i64;
    for row in 0..n {
        let ci = 2.0 * row as f64 / n as f64 - 1.0;
        for column in 0..n {
            let cr = 2.0 * column as f64 / n as f64 - 1.5;
            let (mut zr, mut zi, mut tr, mut ti) = (0.0, 0.0, 0.0, 0.0);
            let mut step = 0;
            while step < 50 && tr + ti <= 4.0 {
                zi = 2.0 * zr * zi + ci;
                zr = tr - ti + cr;
                tr = zr * zr;
                ti = zi * zi;
                step += 1;
            }
            if tr + ti <= 4.0 {
                inside += 1;
            }
        }
    }
    println!("{inside}");
}
