fn element(i: i64, j: i64) -> f64 {
    1.0 / (((i + j) * (i + j + 1)) / 2 + i + 1) as f64
}

fn multiply(v: &[f64], out: &mut [f64]) {
    for i in 0..out.len() {
        let mut total = 0.0;
        for j in 0..v.len() {
            total += element(i as i64, j as i64) * v[j];
        }
        out[i] = total;
    }
}

fn multiply_transposed(v: &[f64], out: &mut [f64]) {
    for i in 0..out.len() {
        let mut total = 0.0;
        for j in 0..v.len() {
            total += element(j as i64, i as i64) * v[j];
        }
        out[i] = total;
    }
}

fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let (mut u, mut v, mut t) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for _ in 0..10 {
        multiply(&u, &mut t);
        multiply_transposed(&t, &mut v);
        multiply(&v, &mut t);
        multiply_transposed(&t, &mut u);
    }
    let (mut uv, mut vv) = (0.0, 0.0);
    for i in 0..n {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    println!("{:.9}", f64::sqrt(uv / vv));
}
