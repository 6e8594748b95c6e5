! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The test problems as callbacks of the drivers, with a record of how they were called.
module recorded_problems
    use kinds, only: wp
    use problems, only: residuals, jacobian
    implicit none (type, external)
    private
    public :: start_record, problem_residuals, problem_with_jacobian

    integer, public :: residual_calls = 0                       !! calls with iflag 1
    integer, public :: jacobian_calls = 0                       !! calls with iflag 2
    integer, public :: print_calls = 0                          !! calls with iflag 0
    integer, public :: jacobian_prints = 0                      !! those of them with fjac the Jacobian at x
    logical, public :: print_agreed = .true.                    !! fvec was f(x), to the bit, in all of those
    integer, public :: stop_at_residuals = 0                    !! the evaluation that asks to stop, if positive
    integer, public :: stop_at_jacobian = 0                     !! the Jacobian that asks to stop, if positive
    integer, public :: stop_at_print = 0                        !! the print that asks to stop, if positive
    real(wp), allocatable, public :: jacobian_point(:)          !! where the last Jacobian was evaluated

    integer, parameter, public :: stop_code = -7                !! what a stop is asked for with

    integer :: current_problem = 0

contains

    !> Choose the problem and forget earlier calls.
    subroutine start_record(problem)
        integer, intent(in) :: problem      !! 1 to 18

        current_problem = problem
        residual_calls = 0
        jacobian_calls = 0
        print_calls = 0
        jacobian_prints = 0
        print_agreed = .true.
        stop_at_residuals = 0
        stop_at_jacobian = 0
        stop_at_print = 0
    end subroutine start_record

    !> The residuals, for `lmdif`.
    subroutine problem_residuals(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        if (iflag == 0) then
            print_calls = print_calls + 1
            print_agreed = print_agreed .and. all(fvec == residuals(current_problem, m, x))
            if (print_calls == stop_at_print) iflag = stop_code
        else
            residual_calls = residual_calls + 1
            fvec = residuals(current_problem, m, x)
            if (residual_calls == stop_at_residuals) iflag = stop_code
        end if
    end subroutine problem_residuals

    !> The residuals or the Jacobian, for `lmder`.
    subroutine problem_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 2) then
            jacobian_calls = jacobian_calls + 1
            jacobian_point = x
            fjac(:m, :) = jacobian(current_problem, m, x)
            if (jacobian_calls == stop_at_jacobian) iflag = stop_code
        else
            if (iflag == 0) then
                if (all(fjac(:m, :) == jacobian(current_problem, m, x))) jacobian_prints = jacobian_prints + 1
            end if
            call problem_residuals(m, n, x, fvec, iflag)
        end if
    end subroutine problem_with_jacobian

end module recorded_problems
