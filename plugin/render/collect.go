package render

// collector gathers objects within the limits.
type collector struct {
	limits  Limits
	heads   *heads
	where   string
	objects []Object
	count   int
	bytes   int64
}

// add reads documents into objects; those without content are left out.
func (c *collector) add(docs []document) error {
	for _, d := range docs {
		c.bytes += int64(len(d.data))
		if c.bytes > c.limits.OutputBytes {
			return &LimitError{Limit: "outputBytes", Value: c.limits.OutputBytes, Where: c.where, Remedy: "split what is rendered into several Applications"}
		}
		o, ok, err := c.heads.object(d, c.limits)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if c.count += max(1, len(o.Items)); c.count > c.limits.Objects {
			return &LimitError{Limit: "objects", Value: int64(c.limits.Objects), Where: c.where, Remedy: "split what is rendered into several Applications"}
		}
		c.objects = append(c.objects, o)
	}
	return nil
}
