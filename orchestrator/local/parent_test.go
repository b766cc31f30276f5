package local_test

func parent([]string) int { return 0 }
