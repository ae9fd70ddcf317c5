"""What several tests share: services to run, sounds, servers that play a part."""
