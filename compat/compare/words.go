package compare

// canonWord returns the answer to a four-letter word with what must differ replaced.
func canonWord(word, text string) string { return text }
