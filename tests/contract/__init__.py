"""One suite of promises over every backend, and one over every consumer: what a third party has to keep too."""
