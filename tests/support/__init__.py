"""What several test modules share: bundled data, the slow oracle, the real libkmod, seeded random cases."""
