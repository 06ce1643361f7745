"""All that knows IRIS: its command surface, and the hosts that an instance can run on."""
