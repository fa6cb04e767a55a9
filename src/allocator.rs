//! The allocator of the program and of its benches; the library leaves the choice to whoever uses it.

/// Networks come and go on threads of their own; the C library's allocator keeps what each of them leaves behind, this one gives it
/// back, so that resident memory does not grow with the stream.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What jemalloc reads at start-up. By default it hands a block of 8 MB and more back to the system the moment it is freed. A step
/// of a wide network frees several and asks for as many again: a third of its time on a processor went into mapping their pages.
///
/// Safety: the name is that of jemalloc's own `const char *malloc_conf` under the prefix that its build gives it, which exists to be
/// defined by the program and is only read. A reference to an array is a pointer to its first byte; the bytes live as long as
/// the program and end with 0.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static CONFIGURATION: &[u8; 21] = b"oversize_threshold:0\0";

/// Lets the C library's allocator keep what librdkafka gives back: it takes a megabyte and more for every answer of a broker, and
/// mapping and unmapping the pages of each cost as much time as receiving them. Queues bound what is kept. To be called before
/// there are threads.
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // Safety: `mallopt` takes two numbers and says whether it took them; it only must not be called by two threads at once.
    unsafe {
        // Larger blocks would be mapped one by one; this is the most there can be.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
    }
}
