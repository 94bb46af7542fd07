"""What libkmod reads and answers: its files, its context, its configuration."""
