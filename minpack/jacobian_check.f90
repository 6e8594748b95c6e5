! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Does a Jacobian belong to its residuals?
module jacobian_check
    use kinds, only: wp, eps
    implicit none (type, external)
    private
    public :: chkder

contains

    !> Check the consistency of a Jacobian with the residuals, in two calls.
    !>
    !> With mode 1 it gives a neighbouring point `xp`, each parameter moved by a relative sqrt(eps). The
    !> caller evaluates the residuals at both points and the Jacobian at `x`; with mode 2, `err(i)` then
    !> says how well row i predicts the change of residual i: 1 when right to about half the digits, 0
    !> when wrong, and in between above 0.5 when probably right.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), CHKDER (idea and scale of `err`).
    pure subroutine chkder(m, n, x, fvec, fjac, ldfjac, xp, fvecp, mode, err)
        integer, intent(in) :: m                        !! residuals
        integer, intent(in) :: n                        !! parameters
        integer, intent(in) :: ldfjac                   !! leading dimension of fjac, ldfjac >= m
        real(wp), intent(in) :: x(n)                    !! the point
        real(wp), intent(in) :: fvec(m)                 !! residuals at x (mode 2)
        real(wp), intent(in) :: fjac(ldfjac, n)         !! Jacobian at x (mode 2)
        real(wp), intent(inout) :: xp(n)                !! the neighbouring point (set by mode 1)
        real(wp), intent(in) :: fvecp(m)                !! residuals at xp (mode 2)
        integer, intent(in) :: mode                     !! 1: give xp; 2: give err
        real(wp), intent(inout) :: err(m)               !! measure of correctness for each row (set by mode 2)

        real(wp), parameter :: noise = 100.0_wp*eps
        real(wp) :: step, predicted, change, difference
        integer :: i, j

        step = sqrt(eps)
        if (mode == 1) then
            xp = x + step*abs(x)
            where (x == 0.0_wp) xp = step
            return
        end if

        do i = 1, m
            predicted = 0.0_wp
            do j = 1, n
                predicted = predicted + fjac(i, j)*(xp(j) - x(j))
            end do
            change = fvecp(i) - fvec(i)
            difference = abs(change - predicted)
            ! Differences below the rounding of the residuals themselves say nothing. NaN stays NaN, and is wrong.
            if (difference <= noise*abs(fvec(i))) difference = 0.0_wp
            err(i) = correctness(difference, max(abs(predicted), abs(change)), step)
        end do
    end subroutine chkder

    !> Map a relative error onto 0 (wrong) to 1 (right to the accuracy a difference can show), logarithmically.
    pure function correctness(difference, scale, accuracy) result(measure)
        real(wp), intent(in) :: difference      !! |change - prediction|
        real(wp), intent(in) :: scale           !! the larger of the two
        real(wp), intent(in) :: accuracy        !! relative error that counts as right
        real(wp) :: measure

        measure = 0.0_wp
        if (difference <= accuracy*scale) then
            measure = 1.0_wp
        else if (difference < scale) then
            measure = log10(difference/scale)/log10(accuracy)
        end if
    end function correctness

end module jacobian_check
