package network

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestFree(t *testing.T) {
	candidates := []netip.Prefix{netip.MustParsePrefix("10.83.0.0/20"), netip.MustParsePrefix("10.83.16.0/20")}
	tests := []struct {
		name  string
		taken []string
		want  string
	}{
		{"nothing taken", nil, "10.83.0.0/20"},
		{"others taken", []string{"192.168.0.0/16", "10.82.0.0/16"}, "10.83.0.0/20"},
		{"first taken", []string{"10.83.0.0/20"}, "10.83.16.0/20"},
		{"a part of the first taken", []string{"10.83.3.7/32"}, "10.83.16.0/20"},
		{"all taken by a larger one", []string{"10.0.0.0/8"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var taken []netip.Prefix
			for _, text := range test.taken {
				taken = append(taken, netip.MustParsePrefix(text))
			}
			got, err := Free(candidates, taken)
			if test.want == "" {
				if err == nil {
					t.Errorf("got %s where nothing is free", got)
				}
				return
			}
			if err != nil || got.String() != test.want {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestCandidatesDoNotOverlap(t *testing.T) {
	candidates := Candidates()
	for i, candidate := range candidates {
		if candidate != candidate.Masked() || overlaps(candidate, candidates[:i]) {
			t.Errorf("%s overlaps an earlier candidate, or is no subnet", candidate)
		}
	}
}

func TestParseRoutes(t *testing.T) {
	hex := func(text string) string {
		bytes := netip.MustParseAddr(text).As4()
		return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(bytes[:]))
	}
	line := func(link, destination, mask string) string {
		return strings.Join([]string{link, hex(destination), "00000000", "0003", "0", "0", "0", hex(mask), "0", "0", "0"}, "\t")
	}
	table := strings.Join([]string{"Iface\tDestination\t...",
		line("eth0", "0.0.0.0", "0.0.0.0"),
		line("eth0", "192.0.2.0", "255.255.255.0"),
		line("proa1", "10.83.0.0", "255.255.240.0"),
		line("vpn", "10.90.0.0", "255.255.0.0"),
	}, "\n")
	got, err := parseRoutes(bufio.NewScanner(strings.NewReader(table)), "proa1")
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.90.0.0/16")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAddresses(t *testing.T) {
	n := Namespace{Subnet: netip.MustParsePrefix("10.83.16.0/20")}
	got := fmt.Sprint(n.Node(), n.Host(), n.FirstPod(), n.LastPod())
	if want := "10.83.16.1 10.83.16.2 10.83.16.16 10.83.31.254"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
