package store

import (
	"context"
	"fmt"
	"time"
)

// SeeDelivery remembers a webhook's delivery and reports whether it is new.
func (t *Tx) SeeDelivery(ctx context.Context, id string, at time.Time) (bool, error) {
	res, err := t.tx.ExecContext(ctx, `INSERT INTO deliveries (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, id, toMicro(at))
	if err != nil {
		return false, fmt.Errorf("write delivery: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("write delivery: %w", err)
	}
	return n == 1, nil
}
