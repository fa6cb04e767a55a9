//! Lets a binary with LibTorch find it without LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let wanted = std::env::var_os("CARGO_FEATURE_LIBTORCH").is_some();
    if let Some(folder) = std::env::var("LIBTORCH").ok().filter(|_| wanted) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
