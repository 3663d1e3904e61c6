// For a program whose main lives in a library.
