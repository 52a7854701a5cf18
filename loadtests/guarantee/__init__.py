"""Whether thresholds that labels prove keep their promise on streams of real pairs."""
