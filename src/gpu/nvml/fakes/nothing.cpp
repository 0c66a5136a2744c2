// A library that is no NVML at all.
extern "C" int reeve_nothing() {
    return 0;
}
