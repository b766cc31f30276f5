// Package e2e tests proa as users have it: the installed program, real processes, a real cluster. Its scripts are in
// testdata, one folder for each kind of world they need.
package e2e
