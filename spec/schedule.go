package spec

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Validate says what is wrong with a schedule. What the fields of the expression may be, the cluster knows best.
func (s *Schedule) Validate() error {
	fields := strings.Fields(s.CronExpression)
	switch {
	case len(fields) == 0:
		return errors.New("cron_expression is missing: write for example \"0 9 * * 1-5\", or \"@daily\"")
	case len(fields) != 5 && !strings.HasPrefix(fields[0], "@"):
		return fmt.Errorf("cron_expression is %q, which has %d fields: write minute, hour, day of the month, month and day of the week, such as \"0 9 * * 1-5\"", s.CronExpression, len(fields))
	case strings.Contains(s.CronExpression, "TZ="):
		return errors.New("cron_expression can't hold a time zone: set timezone")
	}
	var bounds [2]time.Time
	for i, text := range []string{s.StartTime, s.EndTime} {
		var err error
		if bounds[i], err = moment(text); err != nil {
			return fmt.Errorf("%s is %q, which is no time such as \"2026-12-01T09:00:00Z\"", []string{"start_time", "end_time"}[i], text)
		}
	}
	if !bounds[0].IsZero() && !bounds[1].IsZero() && !bounds[0].Before(bounds[1]) {
		return errors.New("end_time is not after start_time")
	}
	switch s.Concurrency {
	case "", "forbid", "allow", "replace":
		return nil
	}
	return fmt.Errorf("concurrency is %q; it is one of forbid, allow and replace", s.Concurrency)
}

// Due reports whether runs are to be started at a time.
func (s *Schedule) Due(now time.Time) bool {
	start, _ := moment(s.StartTime) // checked by Validate
	end, _ := moment(s.EndTime)
	return !now.Before(start) && (end.IsZero() || now.Before(end))
}

func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text)
}
