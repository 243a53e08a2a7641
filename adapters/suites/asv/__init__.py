"""The benchmarks of a project that uses airspeed velocity."""
