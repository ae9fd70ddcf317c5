"""What several rooms need of threads and processes: something periodic, something cached, whether one is alive."""
