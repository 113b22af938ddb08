/* Does not compile: that is what it is here for. */
int main(void)
{
	return undeclared;
}
