"""The way back of a master whose writes were taken over: its extra transactions taken back, or its data copied anew."""
